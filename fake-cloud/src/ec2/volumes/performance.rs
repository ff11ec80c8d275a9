//! Types of volumes and their figures. They make no difference here: they are checked as EC2
//! does, kept and shown.

use crate::ec2::errors::Fault;
use crate::ec2::params::Params;
use crate::ec2::xml::Xml;
use crate::model::Performance;

/// What the fastest of a type does in a second, operations and MiB; the least first. A type without
/// them has no figures that one could choose.
struct Limits {
    iops: Option<(u32, u32)>,
    throughput: Option<(u32, u32)>,
}

fn limits(volume_type: &str) -> Option<Limits> {
    let limits = |iops, throughput| Some(Limits { iops, throughput });
    match volume_type {
        "gp3" => limits(Some((3000, 16_000)), Some((125, 1000))),
        "io1" => limits(Some((100, 64_000)), None),
        "io2" => limits(Some((100, 256_000)), None),
        "gp2" | "st1" | "sc1" | "standard" => limits(None, None),
        _ => None,
    }
}

/// What a request says, on top of what is so already.
pub(super) fn read(params: &Params, now: Option<&Performance>) -> Result<Performance, Fault> {
    let before = now.cloned().unwrap_or_default();
    let volume_type = params.text("VolumeType").unwrap_or(&before.volume_type).to_owned();
    let limits = limits(&volume_type).ok_or_else(|| {
        Fault::new("UnknownVolumeType", format!("Unsupported volume type '{volume_type}'"))
    })?;
    let same = volume_type == before.volume_type;
    let figure = |name: &str, limits: Option<(u32, u32)>, before: Option<u32>| {
        let wanted = params.number(name)?.map(|number| u32::try_from(number).unwrap_or_default());
        match (wanted, limits) {
            (None, None) => Ok(None),
            (None, Some((least, _))) => Ok(before.filter(|_| same).or(Some(least))),
            (Some(_), None) => {
                let name = name.to_lowercase();
                let message =
                    format!("The parameter {name} is not supported for {volume_type} volumes.");
                Err(Fault::combination(message))
            }
            (Some(wanted), Some((least, most))) if (least..=most).contains(&wanted) => {
                Ok(Some(wanted))
            }
            (Some(wanted), Some((least, most))) => Err(Fault::invalid_value(format!(
                "Volume {name} of {wanted} is invalid; a {volume_type} volume has from {least} to \
                 {most}.",
                name = name.to_lowercase()
            ))),
        }
    };
    // An io volume has no rate of its own.
    if matches!(volume_type.as_str(), "io1" | "io2") && params.text("Iops").is_none() && !same {
        return Err(Fault::missing_parameter("Iops"));
    }
    let iops = figure("Iops", limits.iops, before.iops)?;
    let throughput = figure("Throughput", limits.throughput, before.throughput)?;
    Ok(Performance { volume_type, iops, throughput })
}

/// The figures of a volume. Those of some types follow from the size.
pub(in crate::ec2) fn view(xml: &mut Xml, performance: &Performance, size_gib: u64) {
    xml.text("volumeType", &performance.volume_type);
    xml.optional("iops", iops(performance, size_gib));
    xml.optional("throughput", performance.throughput);
}

/// Operations a second.
pub(super) fn iops(performance: &Performance, size_gib: u64) -> Option<u64> {
    let by_size = || (3 * size_gib).clamp(100, 16_000);
    let by_size = (performance.volume_type == "gp2").then(by_size);
    performance.iops.map(u64::from).or(by_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(query: &str) -> Result<Performance, String> {
        let params = Params::of(crate::query::parse(query));
        read(&params, None).map_err(|fault| fault.code.into_owned())
    }

    #[test]
    fn types_have_their_own_figures() {
        let gp3 = read_all("VolumeType=gp3").unwrap();
        assert_eq!((gp3.iops, gp3.throughput), (Some(3000), Some(125)));
        let io1 = read_all("VolumeType=io1&Iops=200").unwrap();
        assert_eq!((io1.iops, io1.throughput), (Some(200), None));
        let gp2 = read_all("").unwrap();
        assert_eq!((iops(&gp2, 1), iops(&gp2, 100)), (Some(100), Some(300)));
        for (query, code) in [
            ("VolumeType=fast", "UnknownVolumeType"),
            ("VolumeType=io1", "MissingParameter"),
            ("VolumeType=gp2&Iops=100", "InvalidParameterCombination"),
            ("VolumeType=gp3&Iops=1", "InvalidParameterValue"),
            ("VolumeType=gp3&Throughput=-1", "InvalidParameterValue"),
        ] {
            assert_eq!(read_all(query).unwrap_err(), code, "{query}");
        }
    }

    #[test]
    fn what_a_change_does_not_say_stays() {
        let before = read_all("VolumeType=gp3&Iops=4000").unwrap();
        let params = Params::of(crate::query::parse("Throughput=200"));
        let after = read(&params, Some(&before)).unwrap();
        assert_eq!((after.iops, after.throughput), (Some(4000), Some(200)));
        let params = Params::of(crate::query::parse("VolumeType=gp2"));
        assert_eq!(read(&params, Some(&before)).unwrap(), Performance::default());
    }
}
