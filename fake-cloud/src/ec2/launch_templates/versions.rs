//! The versions of launch templates.

use super::{creator, data, description, id, missing, named, own, version};
use crate::ec2::errors::Fault;
use crate::ec2::filters::Filters;
use crate::ec2::operation::Call;
use crate::ec2::pages::Page;
use crate::ec2::params::Params;
use crate::ec2::xml::{Millis, Xml};
use crate::model::{LaunchTemplate, LaunchTemplateVersion, Model, WhichVersion};

const FILTERS: [&str; 5] =
    ["create-time", "image-id", "instance-type", "is-default-version", "key-name"];

pub(in crate::ec2) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let own = data::read(params)?;
    let changed = call.cloud.change(|model, now| {
        let template = named(&call, model, params)?;
        // What is not said is as in the version that the new one is made from.
        let source =
            params.text("SourceVersion").map(|text| version(template, text)).transpose()?;
        let source = source.map(|version| version.parameters.clone()).unwrap_or_default();
        let merged = Params::of(source).overridden_by(&Params::of(own));
        let id = template.id;
        let mut template = model.launch_templates.get_mut(id).ok_or_else(|| missing(id))?;
        let parameters = merged.pairs().into_iter().collect();
        let number =
            template.add_version(call.caller.user_id, description(params), parameters, now);
        Ok::<_, Fault>((template.clone(), number))
    });
    let (template, number) = changed.await?;
    let mut xml = Xml::default();
    if let Some(version) = template.version(WhichVersion::Number(number)) {
        xml.within("launchTemplateVersion", |xml| view(xml, &call, &template, version));
    }
    Ok(xml)
}

pub(in crate::ec2) fn describe(call: &Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let filters = Filters::read(params, &FILTERS)?;
    let page = Page::of_size(params, "LaunchTemplateVersion", 1..=super::PAGE_MAX)?;
    let model = call.cloud.read();
    let shown = selected(call, &model)?.into_iter().filter(|(template, version)| {
        filters.pass(&template.tags, |name| values(template, version, name))
    });
    let place = |(template, version): &(&LaunchTemplate, &LaunchTemplateVersion)| {
        (false, (model.launch_templates.sequence(template.id) << 32) + version.number)
    };
    let (versions, next) = page.of(shown.map(|it| (place(&it), it)));
    let cloned = |(template, version): (&LaunchTemplate, &LaunchTemplateVersion)| {
        (template.clone(), version.clone())
    };
    let versions: Vec<_> = versions.into_iter().map(cloned).collect();
    // Who has made them is asked of a model too.
    drop(model);
    let mut xml = Xml::default();
    xml.list("launchTemplateVersionSet", versions, |xml, (template, version)| {
        view(xml, call, &template, &version);
    });
    xml.optional("nextToken", next);
    Ok(xml)
}

/// The versions that a request asks for: of one template, or those of all templates that are the
/// default one or the newest.
fn selected<'a>(
    call: &Call,
    model: &'a Model,
) -> Result<Vec<(&'a LaunchTemplate, &'a LaunchTemplateVersion)>, Fault> {
    let params = &call.params;
    let wanted = params.texts("LaunchTemplateVersion");
    let one = match (params.text("LaunchTemplateId"), params.text("LaunchTemplateName")) {
        (None, None) => None,
        _ => Some(named(call, model, params)?),
    };
    let bound = |name: &str| {
        let number = params.number(name)?.map(|number| u64::try_from(number).unwrap_or_default());
        Ok::<_, Fault>(number)
    };
    let (least, most) = (bound("MinVersion")?, bound("MaxVersion")?);
    let mut found = Vec::new();
    match one {
        Some(template) if wanted.is_empty() => {
            let versions = template.versions.iter().filter(|version| {
                least.is_none_or(|least| version.number >= least)
                    && most.is_none_or(|most| version.number <= most)
            });
            found.extend(versions.map(|version| (template, version)));
        }
        Some(template) => {
            for text in wanted {
                found.push((template, version(template, text)?));
            }
            found.sort_by_key(|(_, version)| version.number);
            found.dedup_by_key(|(_, version)| version.number);
        }
        None if wanted.is_empty() || wanted.iter().any(|text| !text.starts_with('$')) => {
            return Err(Fault::missing_parameter("LaunchTemplateId"));
        }
        None => {
            for template in own(call, model) {
                let mut versions: Vec<_> =
                    wanted.iter().map(|text| version(template, text)).collect::<Result<_, _>>()?;
                versions.sort_by_key(|version| version.number);
                versions.dedup_by_key(|version| version.number);
                found.extend(versions.into_iter().map(|version| (template, version)));
            }
        }
    }
    Ok(found)
}

fn values(template: &LaunchTemplate, version: &LaunchTemplateVersion, name: &str) -> Vec<String> {
    let parameter = |name: &str| version.parameters.get(name).cloned().into_iter().collect();
    match name {
        "create-time" => vec![Millis(version.created).to_string()],
        "image-id" => parameter("ImageId"),
        "instance-type" => parameter("InstanceType"),
        "key-name" => parameter("KeyName"),
        _ => vec![(version.number == template.default_version).to_string()],
    }
}

pub(in crate::ec2) async fn delete(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let wanted = params.texts("LaunchTemplateVersion");
    if wanted.is_empty() {
        return Err(Fault::missing_parameter("LaunchTemplateVersion"));
    }
    let numbers = wanted.iter().map(|text| {
        let invalid = |_| Fault::invalid_value(format!("Invalid launch template version: {text}"));
        text.parse::<u64>().map_err(invalid)
    });
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let changed = call.cloud.change(|model, _| {
        let id = named(&call, model, params)?.id;
        let mut template = model.launch_templates.get_mut(id).ok_or_else(|| missing(id))?;
        let done: Vec<_> = numbers
            .iter()
            .map(|number| {
                let default = *number == template.default_version;
                (*number, default, template.remove_version(*number).is_some())
            })
            .collect();
        Ok::<_, Fault>((template.clone(), done))
    });
    let (template, done) = changed.await?;
    let entry = |xml: &mut Xml, number: u64| {
        xml.text("launchTemplateId", id(&template));
        xml.text("launchTemplateName", &template.name);
        xml.text("versionNumber", number);
    };
    let (removed, left): (Vec<_>, Vec<_>) = done.into_iter().partition(|(.., removed)| *removed);
    let mut xml = Xml::default();
    xml.list("successfullyDeletedLaunchTemplateVersionSet", removed, |xml, (number, ..)| {
        entry(xml, number);
    });
    xml.list("unsuccessfullyDeletedLaunchTemplateVersionSet", left, |xml, (number, default, _)| {
        entry(xml, number);
        let (code, message) = match default {
            true => ("unexpectedError", "The default version cannot be deleted."),
            false => ("launchTemplateVersionDoesNotExist", "Could not find the specified version."),
        };
        xml.within("responseError", |xml| {
            xml.text("code", code);
            xml.text("message", message);
        });
    });
    Ok(xml)
}

fn view(xml: &mut Xml, call: &Call, template: &LaunchTemplate, version: &LaunchTemplateVersion) {
    xml.text("launchTemplateId", id(template));
    xml.text("launchTemplateName", &template.name);
    xml.text("versionNumber", version.number);
    xml.optional("versionDescription", version.description.as_ref());
    xml.text("createTime", Millis(version.created));
    xml.text("createdBy", creator(call, version.user_id));
    xml.text("defaultVersion", version.number == template.default_version);
    let parameters = Params::of(version.parameters.clone());
    xml.within("launchTemplateData", |xml| data::view(xml, &parameters));
}
