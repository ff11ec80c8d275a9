//! Keystone v3: who is who, tokens, and the catalogue of services.

mod catalog;
mod credentials;
mod directory;
mod tokens;
mod versions;

use super::errors::PlainError as Error;
use super::route::{Route, routes};

/// The id of the only domain.
const DOMAIN_ID: &str = "default";
/// Its name.
const DOMAIN_NAME: &str = "Default";

pub(super) const ROUTES: &[Route] = routes![
    Open GET "/" versions::list;
    Open GET "/v3" versions::show;
    Open POST "/v3/auth/tokens" tokens::create;
    Token GET "/v3/auth/tokens" tokens::show;
    Token DELETE "/v3/auth/tokens" tokens::delete;
    Token GET "/v3/auth/catalog" catalog::show;
    Token GET "/v3/auth/projects" directory::own_projects;
    Token GET "/v3/projects" directory::projects;
    Token GET "/v3/projects/{id}" directory::project;
    Admin GET "/v3/users" directory::users;
    Token GET "/v3/users/{id}" directory::user;
    Token GET "/v3/users/{id}/projects" directory::user_projects;
    Token POST "/v3/users/{id}/credentials/OS-EC2" credentials::create;
    Token GET "/v3/users/{id}/credentials/OS-EC2" credentials::list;
    Token GET "/v3/users/{id}/credentials/OS-EC2/{access}" credentials::show;
    Token DELETE "/v3/users/{id}/credentials/OS-EC2/{access}" credentials::delete;
    Token GET "/v3/roles" directory::roles;
    Token GET "/v3/domains" directory::domains;
    Token GET "/v3/domains/{id}" directory::domain;
    Token GET "/v3/regions" catalog::regions;
    Admin GET "/v3/services" catalog::services;
    Admin GET "/v3/endpoints" catalog::endpoints;
];
