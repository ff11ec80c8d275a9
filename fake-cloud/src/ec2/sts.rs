//! The one question of the Security Token Service that clients ask before all others: who am I?

use super::errors::Fault;
use super::ids::{account, user_arn};
use super::operation::Call;
use super::xml::Xml;

pub(super) fn caller_identity(call: &Call) -> Result<Xml, Fault> {
    let user = call.caller.user_id;
    let name = call.cloud.user_name(user);
    let id = user.to_string().to_uppercase();
    let mut xml = Xml::default();
    xml.text("Arn", user_arn(call.project, &name));
    xml.text("UserId", format_args!("AIDA{}", &id[..17]));
    xml.text("Account", account(call.project));
    Ok(xml)
}
