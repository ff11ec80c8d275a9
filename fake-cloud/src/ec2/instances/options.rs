//! What a request sets of an instance besides what both APIs know: read from `RunInstances` and
//! `ModifyInstanceMetadataOptions`.

use crate::ec2::errors::Fault;
use crate::ec2::params::Params;
use crate::ec2::xml::Xml;
use crate::model::{MetadataOptions, Options};

/// The farthest that answers of the metadata service may travel.
const HOP_LIMIT_MAX: i64 = 64;

/// The options of a new instance.
pub(super) fn read(params: &Params) -> Result<Options, Fault> {
    if let Some(name) = params.text("IamInstanceProfile.Name") {
        let message = format!(
            "Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        );
        return Err(Fault::invalid_value(message));
    }
    for (parameter, what) in [
        ("InstanceMarketOptions.MarketType", "spot instances"),
        ("Placement.HostId", "hosts of one's own"),
        ("Placement.PartitionNumber", "partitions"),
        ("Ipv6AddressCount", "IPv6"),
    ] {
        if params.text(parameter).is_some() {
            let message = format!("This cloud has no {what}");
            return Err(Fault::new("UnsupportedOperation", message));
        }
    }
    if params.text("Placement.Tenancy").is_some_and(|tenancy| tenancy != "default") {
        return Err(Fault::new(
            "Unsupported",
            "The requested configuration is currently not supported: this cloud has no hardware \
             that is one account's alone.",
        ));
    }
    if params.flag("HibernationOptions.Configured")? == Some(true) {
        let message = "Instances of this cloud do not hibernate.";
        return Err(Fault::new("UnsupportedHibernationConfiguration", message));
    }
    if params.flag("EnclaveOptions.Enabled")? == Some(true) {
        let message = "Instances of this cloud have no enclaves.";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let terminates = terminates_on_shutdown(params.text("InstanceInitiatedShutdownBehavior"))?;
    let mut options = Options {
        termination_protected: params.flag("DisableApiTermination")?.unwrap_or(false),
        stop_protected: params.flag("DisableApiStop")?.unwrap_or(false),
        monitored: params.flag("Monitoring.Enabled")?.unwrap_or(false),
        terminates_on_shutdown: terminates.unwrap_or(false),
        ..Options::default()
    };
    if let Some(wanted) = params.below("MetadataOptions") {
        read_metadata(wanted, &mut options.metadata)?;
    }
    Ok(options)
}

/// Changes what a request says of the metadata service, and nothing else.
pub(super) fn read_metadata(params: &Params, options: &mut MetadataOptions) -> Result<(), Fault> {
    let either = |name: &str, yes: &str, no: &str| match params.text(name) {
        None => Ok(None),
        Some(word) if word == yes => Ok(Some(true)),
        Some(word) if word == no => Ok(Some(false)),
        Some(other) => {
            let message = format!("Invalid value '{other}' for {name}. It must be {yes} or {no}");
            Err(Fault::invalid_value(message))
        }
    };
    let enabled = either("HttpEndpoint", "enabled", "disabled")?;
    let required = either("HttpTokens", "required", "optional")?;
    let tags = either("InstanceMetadataTags", "enabled", "disabled")?;
    let hops = params.number("HttpPutResponseHopLimit")?.map(|hops| {
        let valid = u8::try_from(hops).ok().filter(|_| (1..=HOP_LIMIT_MAX).contains(&hops));
        valid.ok_or_else(|| {
            Fault::invalid_value(format!(
                "Invalid value '{hops}' for HttpPutResponseHopLimit. It must be from 1 to \
                 {HOP_LIMIT_MAX}"
            ))
        })
    });
    let hops = hops.transpose()?;
    options.enabled = enabled.unwrap_or(options.enabled);
    options.tokens_required = required.unwrap_or(options.tokens_required);
    options.tags = tags.unwrap_or(options.tags);
    options.hop_limit = hops.unwrap_or(options.hop_limit);
    Ok(())
}

/// Whether an instance that shuts down by itself is terminated, if a request says so.
pub(super) fn terminates_on_shutdown(wanted: Option<&str>) -> Result<Option<bool>, Fault> {
    match wanted {
        None => Ok(None),
        Some("stop") => Ok(Some(false)),
        Some("terminate") => Ok(Some(true)),
        Some(other) => Err(Fault::invalid_value(format!(
            "Invalid value '{other}' for InstanceInitiatedShutdownBehavior."
        ))),
    }
}

/// How the metadata service answers, as a request would say it.
pub(in crate::ec2) fn metadata_parameters(
    options: &MetadataOptions,
) -> [(&'static str, String); 4] {
    let switch = |on: bool| if on { "enabled" } else { "disabled" }.to_owned();
    let tokens = if options.tokens_required { "required" } else { "optional" };
    [
        ("HttpTokens", tokens.to_owned()),
        ("HttpPutResponseHopLimit", options.hop_limit.to_string()),
        ("HttpEndpoint", switch(options.enabled)),
        ("InstanceMetadataTags", switch(options.tags)),
    ]
}

/// How the metadata service answers.
pub(super) fn metadata_options(xml: &mut Xml, options: &MetadataOptions) {
    let switch = |on: bool| if on { "enabled" } else { "disabled" };
    xml.text("state", "applied");
    xml.text("httpTokens", if options.tokens_required { "required" } else { "optional" });
    xml.text("httpPutResponseHopLimit", options.hop_limit);
    xml.text("httpEndpoint", switch(options.enabled));
    xml.text("httpProtocolIpv6", "disabled");
    xml.text("instanceMetadataTags", switch(options.tags));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<Options, String> {
        let params = Params::of(crate::query::parse(query));
        read(&params).map_err(|fault| fault.code.into_owned())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        assert_eq!(options(""), Ok(Options::default()));
        let read = options(
            "MetadataOptions.HttpTokens=required&MetadataOptions.HttpPutResponseHopLimit=2\
             &DisableApiTermination=true",
        );
        let read = read.unwrap();
        assert!(
            read.termination_protected && read.metadata.tokens_required && read.metadata.enabled
        );
        assert_eq!(read.metadata.hop_limit, 2);
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        for (query, code) in [
            ("MetadataOptions.HttpTokens=maybe", "InvalidParameterValue"),
            ("MetadataOptions.HttpPutResponseHopLimit=65", "InvalidParameterValue"),
            ("InstanceMarketOptions.MarketType=spot", "UnsupportedOperation"),
            ("InstanceInitiatedShutdownBehavior=explode", "InvalidParameterValue"),
            ("Placement.Tenancy=dedicated", "Unsupported"),
            ("HibernationOptions.Configured=true", "UnsupportedHibernationConfiguration"),
            ("IamInstanceProfile.Name=admin", "InvalidParameterValue"),
        ] {
            assert_eq!(options(query).unwrap_err(), code, "{query}");
        }
    }
}
