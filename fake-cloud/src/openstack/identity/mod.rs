//! Keystone v3: who is who, tokens, and the catalogue of services.

mod application_credentials;
mod catalog;
mod credentials;
mod domains;
mod groups;
mod projects;
mod roles;
mod tokens;
mod users;
mod versions;

use super::errors::PlainError as Error;
use super::route::{Route, routes};

impl super::request::Context {
    /// The links that Keystone puts below every list.
    fn list_links(&self, path: &str) -> serde_json::Value {
        let own = format!("{}{path}", self.cloud.api_url);
        serde_json::json!({"next": null, "previous": null, "self": own})
    }
}

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" versions::list;
    Open GET "/v3" versions::show;
    Open POST "/v3/auth/tokens" tokens::create;
    Token GET "/v3/auth/tokens" tokens::show;
    Token DELETE "/v3/auth/tokens" tokens::delete;
    Token GET "/v3/auth/catalog" catalog::show;
    Token GET "/v3/auth/projects" projects::own;
    Token GET "/v3/projects" projects::list;
    Admin POST "/v3/projects" projects::create;
    Token GET "/v3/projects/{id}" projects::show;
    Admin PATCH "/v3/projects/{id}" projects::update;
    Admin DELETE "/v3/projects/{id}" projects::delete;
    Admin GET "/v3/users" users::list;
    Admin POST "/v3/users" users::create;
    Token GET "/v3/users/{id}" users::show;
    Admin PATCH "/v3/users/{id}" users::update;
    Admin DELETE "/v3/users/{id}" users::delete;
    Open POST "/v3/users/{id}/password" users::change_password;
    Token GET "/v3/users/{id}/projects" projects::of_user;
    Token GET "/v3/users/{id}/groups" groups::of_user;
    Token GET "/v3/users/{id}/application_credentials" application_credentials::list;
    Token POST "/v3/users/{id}/application_credentials" application_credentials::create;
    Token GET "/v3/users/{id}/application_credentials/{credential}" application_credentials::show;
    Token DELETE "/v3/users/{id}/application_credentials/{credential}" application_credentials::delete;
    Token POST "/v3/users/{id}/credentials/OS-EC2" credentials::create;
    Token GET "/v3/users/{id}/credentials/OS-EC2" credentials::list;
    Token GET "/v3/users/{id}/credentials/OS-EC2/{access}" credentials::show;
    Token DELETE "/v3/users/{id}/credentials/OS-EC2/{access}" credentials::delete;
    Token GET "/v3/roles" roles::list;
    Admin POST "/v3/roles" roles::create;
    Token GET "/v3/roles/{id}" roles::show;
    Admin PATCH "/v3/roles/{id}" roles::update;
    Admin DELETE "/v3/roles/{id}" roles::delete;
    Admin GET "/v3/role_assignments" roles::assignments;
    Admin GET "/v3/projects/{project}/users/{user}/roles" roles::grants;
    Admin PUT "/v3/projects/{project}/users/{user}/roles/{role}" roles::grant;
    Admin GET "/v3/projects/{project}/users/{user}/roles/{role}" roles::check;
    Admin DELETE "/v3/projects/{project}/users/{user}/roles/{role}" roles::revoke;
    Admin GET "/v3/projects/{project}/groups/{group}/roles" roles::grants;
    Admin PUT "/v3/projects/{project}/groups/{group}/roles/{role}" roles::grant;
    Admin GET "/v3/projects/{project}/groups/{group}/roles/{role}" roles::check;
    Admin DELETE "/v3/projects/{project}/groups/{group}/roles/{role}" roles::revoke;
    Token GET "/v3/domains" domains::list;
    Admin POST "/v3/domains" domains::create;
    Token GET "/v3/domains/{id}" domains::show;
    Admin PATCH "/v3/domains/{id}" domains::update;
    Admin DELETE "/v3/domains/{id}" domains::delete;
    Admin GET "/v3/groups" groups::list;
    Admin POST "/v3/groups" groups::create;
    Admin GET "/v3/groups/{id}" groups::show;
    Admin PATCH "/v3/groups/{id}" groups::update;
    Admin DELETE "/v3/groups/{id}" groups::delete;
    Admin GET "/v3/groups/{id}/users" groups::members;
    Admin PUT "/v3/groups/{id}/users/{user}" groups::add_member;
    Admin GET "/v3/groups/{id}/users/{user}" groups::show_member;
    Admin DELETE "/v3/groups/{id}/users/{user}" groups::remove_member;
    Token GET "/v3/regions" catalog::regions;
    Token GET "/v3/regions/{id}" catalog::region;
    Admin GET "/v3/services" catalog::services;
    Admin GET "/v3/services/{id}" catalog::service;
    Admin GET "/v3/endpoints" catalog::endpoints;
    Admin GET "/v3/endpoints/{id}" catalog::endpoint;
];
