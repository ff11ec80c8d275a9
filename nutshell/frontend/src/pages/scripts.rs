//! Running, interrupting and cleaning up what a Generic service's code does.

use axum::Form;
use axum::response::Response;
use protocol::ServiceId;
use protocol::api::generic::ScriptExecute;
use serde_json::Value;

use super::service::answer;
use super::{Fields, Named};
use crate::failure::{Failure, Problem};
use crate::parameters::split;
use crate::session::Session;

pub(crate) async fn execute(
    session: Session,
    Named(id): Named<ServiceId>,
    Form(fields): Form<Fields>,
) -> Result<Response, Failure> {
    let executed = match request(&fields) {
        Ok((method, parameters)) => session
            .director
            .service_command::<Value>(id, method, &parameters)
            .await
            .map_err(Failure::from),
        Err(problem) => Err(problem.into()),
    };
    answer(&session, id, executed, fields).await
}

/// Reads the form: the button's name is the method's.
fn request(fields: &Fields) -> Result<(&str, ScriptExecute), Problem> {
    let method = match fields.get("script").map(String::as_str) {
        Some(method @ ("run" | "interrupt" | "cleanup")) => method,
        _ => return Err(Problem::invalid("Choose to run, to interrupt or to clean up.")),
    };
    let line = fields.get("parameters").map_or("", String::as_str);
    let parameters = split(line).map_err(|_| {
        Problem::invalid("A quotation mark in the parameters has no partner.")
            .hint("Put a backslash before a mark that is meant literally.")
    })?;
    Ok((method, ScriptExecute { parameters }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn the_button_names_the_method_and_the_line_holds_its_words() {
        let form = fields([("script", "run"), ("parameters", "--port '80 80'")]);
        let (method, execute) = request(&form).unwrap();
        assert_eq!(method, "run");
        assert_eq!(execute.parameters, ["--port", "80 80"]);
        assert!(request(&fields([("script", "interrupt")])).unwrap().1.parameters.is_empty());
    }

    #[test]
    fn other_methods_are_out_of_reach() {
        assert!(request(&fields([("script", "delete_code")])).is_err());
        assert!(request(&fields([("script", "run"), ("parameters", "'")])).is_err());
    }
}
