//! HelloWorld: the smallest service there can be, and the pattern for new ones.

pub(crate) mod agent_half;
pub(crate) mod manager_half;

use protocol::api::{MethodKind, MethodSummary, Role, ServiceType};

/// The image of its VMs needs nothing more.
pub(crate) const NEEDS: &[crate::Need] = &[];

/// The catalogue's entry.
pub(crate) fn service_type() -> ServiceType {
    ServiceType {
        name: "helloworld".to_owned(),
        title: "Hello World".to_owned(),
        description: "Shows that nodes come, answer and go".to_owned(),
        roles: vec![Role { name: "node".to_owned(), initial: 1 }],
        ports: vec![],
        methods: vec![MethodSummary {
            name: "get_helloworld".to_owned(),
            kind: MethodKind::Query,
            description: "Asks every node to say hello".to_owned(),
        }],
    }
}
