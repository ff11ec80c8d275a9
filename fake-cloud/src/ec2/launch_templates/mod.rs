//! Launch templates: made, listed, given another default version, removed.

pub(super) mod data;
pub(super) mod versions;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::{Id, Kind, user_arn};
use super::operation::Call;
use super::pages::Page;
use super::params::Params;
use super::tags::{self, tag_set};
use super::xml::{Millis, Xml};
use crate::model::{
    LaunchTemplate, LaunchTemplateId, LaunchTemplateVersion, Model, UserId, WhichVersion,
};

/// The most pages' entries that one answer has.
const PAGE_MAX: i64 = 200;

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let name = params.required("LaunchTemplateName")?;
    check_name(name)?;
    let parameters = data::read(params)?;
    let tags = tags::specified(params, Kind::LaunchTemplate)?;
    let client_token = call.client_token();
    let made = call.cloud.change(|model, now| {
        if let Some(known) = own(&call, model).find(|template| template.name == name) {
            if client_token.is_some() && known.client_token == client_token {
                return Ok(known.clone());
            }
            let code = "InvalidLaunchTemplateName.AlreadyExistsException";
            return Err(Fault::new(code, "Launch template name already in use."));
        }
        let user_id = call.caller.user_id;
        let mut template = LaunchTemplate {
            id: LaunchTemplateId::random(),
            project_id: call.project,
            name: name.to_owned(),
            user_id,
            created: now,
            versions: Vec::new(),
            default_version: 1,
            next_version: 1,
            tags,
            client_token,
        };
        template.add_version(user_id, description(params), parameters, now);
        model.launch_templates.insert(template.clone());
        Ok(template)
    });
    let template = made.await?;
    Ok(one(&call, &template))
}

pub(super) fn launch_templates(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["create-time", "launch-template-name"])?;
    let page = Page::of_size(&call.params, "LaunchTemplateId", 1..=PAGE_MAX)?;
    let model = call.cloud.read();
    let ids = call.params.texts("LaunchTemplateId").into_iter();
    let ids = ids.map(|text| by_id(call, &model, text));
    let names = call.params.texts("LaunchTemplateName").into_iter();
    let names = names.map(|name| by_name(call, &model, name));
    let named: Vec<_> = ids.chain(names).map(|it| Ok(it?.id)).collect::<Result<_, Fault>>()?;
    let shown = own(call, &model).filter(|template| {
        (named.is_empty() || named.contains(&template.id))
            && filters.pass(&template.tags, |name| match name {
                "create-time" => vec![Millis(template.created).to_string()],
                _ => vec![template.name.clone()],
            })
    });
    let (templates, next) = page.in_order(&model.launch_templates, shown);
    let templates: Vec<LaunchTemplate> = templates.into_iter().cloned().collect();
    // Who has made them is asked of a model too.
    drop(model);
    let mut xml = Xml::default();
    xml.list("launchTemplates", templates, |xml, template| view(xml, call, &template));
    xml.optional("nextToken", next);
    Ok(xml)
}

pub(super) async fn modify(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    // Clients of different ages write it in two ways.
    let wanted = params.text("SetDefaultVersion").or_else(|| params.text("DefaultVersion"));
    let changed = call.cloud.change(|model, _| {
        let template = named(&call, model, params)?;
        let number = wanted.map(|text| Ok::<_, Fault>(version(template, text)?.number));
        let (id, number) = (template.id, number.transpose()?);
        let mut template = model.launch_templates.get_mut(id).ok_or_else(|| missing(id))?;
        template.default_version = number.unwrap_or(template.default_version);
        Ok::<_, Fault>(template.clone())
    });
    let template = changed.await?;
    Ok(one(&call, &template))
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let deleted = call.cloud.change(|model, _| {
        let id = named(&call, model, &call.params)?.id;
        model.launch_templates.remove(id).ok_or_else(|| missing(id))
    });
    let template = deleted.await?;
    Ok(one(&call, &template))
}

/// What a request wants new instances to be like, with what its launch template says of it.
pub(super) fn applied(call: &Call) -> Result<Params, Fault> {
    let Some(wanted) = call.params.below("LaunchTemplate") else { return Ok(call.params.clone()) };
    let model = call.cloud.read();
    let template = named(call, &model, wanted)?;
    let version = version(template, wanted.text("Version").unwrap_or("$Default"))?;
    Ok(Params::of(version.parameters.clone()).overridden_by(&call.params))
}

/// The template that a request names by its id or by its name.
fn named<'a>(call: &Call, model: &'a Model, params: &Params) -> Result<&'a LaunchTemplate, Fault> {
    match (params.text("LaunchTemplateId"), params.text("LaunchTemplateName")) {
        (Some(_), Some(_)) => Err(Fault::combination(
            "Either a launch template ID or a launch template name must be specified in the \
             request, but not both.",
        )),
        (Some(id), None) => by_id(call, model, id),
        (None, Some(name)) => by_name(call, model, name),
        (None, None) => Err(Fault::missing_parameter("LaunchTemplateId")),
    }
}

fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a LaunchTemplate> {
    let project = call.project;
    model.launch_templates.iter().filter(move |template| template.project_id == project)
}

/// The project's template with an id.
pub(super) fn by_id<'a>(
    call: &Call,
    model: &'a Model,
    text: &str,
) -> Result<&'a LaunchTemplate, Fault> {
    let wanted = Kind::LaunchTemplate.parse(text)?;
    let found = own(call, model).find(|template| id(template) == wanted);
    found.ok_or_else(|| Fault::missing(Kind::LaunchTemplate, text))
}

fn by_name<'a>(call: &Call, model: &'a Model, name: &str) -> Result<&'a LaunchTemplate, Fault> {
    own(call, model).find(|template| template.name == name).ok_or_else(|| {
        Fault::new(
            "InvalidLaunchTemplateName.NotFoundException",
            format!("The specified launch template, with template name {name}, does not exist."),
        )
    })
}

fn version<'a>(
    template: &'a LaunchTemplate,
    text: &str,
) -> Result<&'a LaunchTemplateVersion, Fault> {
    let malformed = || Fault::invalid_value(format!("Invalid launch template version: {text}"));
    let which = WhichVersion::read(text).ok_or_else(malformed)?;
    template.version(which).ok_or_else(|| {
        let id = id(template);
        let message = format!("Could not find the specified version {text} for the template {id}.");
        Fault::new("InvalidLaunchTemplateId.VersionNotFound", message)
    })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let valid = (3..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"().-/_".contains(&byte));
    if valid {
        return Ok(());
    }
    Err(Fault::new(
        "InvalidLaunchTemplateName.MalformedException",
        "Launch template names must be between 3 and 128 characters in length, and may contain \
         letters, numbers, and the following characters: - ( ) . / _.",
    ))
}

fn description(params: &Params) -> Option<String> {
    params.text("VersionDescription").map(str::to_owned)
}

fn missing(id: LaunchTemplateId) -> Fault {
    Fault::missing(Kind::LaunchTemplate, Kind::LaunchTemplate.id(id))
}

fn id(template: &LaunchTemplate) -> Id {
    Kind::LaunchTemplate.id(template.id)
}

fn one(call: &Call, template: &LaunchTemplate) -> Xml {
    let mut xml = Xml::default();
    xml.within("launchTemplate", |xml| view(xml, call, template));
    xml
}

fn view(xml: &mut Xml, call: &Call, template: &LaunchTemplate) {
    xml.text("launchTemplateId", id(template));
    xml.text("launchTemplateName", &template.name);
    xml.text("createTime", Millis(template.created));
    xml.text("createdBy", creator(call, template.user_id));
    xml.text("defaultVersionNumber", template.default_version);
    xml.text("latestVersionNumber", template.latest_version());
    tag_set(xml, &template.tags);
}

fn creator(call: &Call, user: UserId) -> String {
    user_arn(call.project, &call.cloud.user_name(user))
}
