//! What a user needs to use a cloud, as real clients want to be told.

use crate::model::AccessKeyPair;

/// What a user needs to use a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Where Keystone answers.
    pub auth_url: String,
    /// The user's name.
    pub username: String,
    /// Their password.
    pub password: String,
    /// The project they work in.
    pub project: String,
    /// The name of the region.
    pub region: String,
    /// Where EC2 answers.
    pub ec2_url: String,
    /// Their key for EC2.
    pub access_key: AccessKeyPair,
}

impl Credentials {
    /// The environment in which the `openstack` command, its SDK, boto3 and the `aws` command use
    /// the cloud as this user.
    pub fn environment(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("OS_AUTH_URL", &self.auth_url),
            ("OS_USERNAME", &self.username),
            ("OS_PASSWORD", &self.password),
            ("OS_PROJECT_NAME", &self.project),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
            ("OS_REGION_NAME", &self.region),
            ("OS_IDENTITY_API_VERSION", "3"),
            ("AWS_ENDPOINT_URL_EC2", &self.ec2_url),
            ("AWS_ENDPOINT_URL_STS", &self.ec2_url),
            ("AWS_DEFAULT_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key.access),
            ("AWS_SECRET_ACCESS_KEY", &self.access_key.secret),
        ]
    }
}
