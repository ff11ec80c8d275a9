//! What VMs ask: how they join, and what managers need.

use axum::extract::State;
use axum::{Extension, Json};
use protocol::api::internal::{Nodes, NodesCreate, NodesDelete, ServiceReport, ServicesWanted};
use protocol::api::{Cloud, Volume, VolumeCreate, Volumes};
use protocol::boot::{CertificateGrant, CertificateRequest};
use protocol::{ServiceId, VolumeId};

use super::extract::{Answer, Body, Path, answer};
use super::registry::{Api, Endpoint, Role, Verb};
use crate::app::App;
use crate::app::vm::Vm;

pub(super) fn register(api: &mut Api) {
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/certificate",
            "vm_certificate",
            // The token in the request, or the key that signed it, says who is asking.
            Role::Public,
            "Exchanges a VM's token for its certificate, or renews that.",
        )
        .input::<CertificateRequest>()
        .output::<CertificateGrant>(),
        certificate,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/ready",
            "vm_ready",
            Role::Vm,
            "The manager or agent listens.",
        ),
        ready,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/alive",
            "vm_alive",
            Role::Vm,
            "The VM is there: one that does not say so for a while is given up.",
        ),
        alive,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/vm/services",
            "vm_services_wanted",
            Role::Manager,
            "The services that the application should have.",
        )
        .output::<ServicesWanted>(),
        services_wanted,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/vm/nodes",
            "vm_nodes",
            Role::Manager,
            "The nodes of the application's services.",
        )
        .output::<Nodes>(),
        nodes,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/nodes",
            "vm_nodes_create",
            Role::Manager,
            "Makes VMs for a service; answers when all their agents are ready.",
        )
        .input::<NodesCreate>()
        .output::<Nodes>(),
        nodes_create,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/nodes/delete",
            "vm_nodes_delete",
            Role::Manager,
            "Removes VMs of the application's services; answers when they are gone.",
        )
        .input::<NodesDelete>(),
        nodes_delete,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/vm/clouds/{cloud}",
            "vm_cloud",
            Role::Manager,
            "What a cloud offers, and whether it can be used now.",
        )
        .output::<Cloud>(),
        cloud,
    );
    api.add(
        Endpoint::new(
            Verb::Get,
            "/v1/vm/volumes",
            "vm_volumes",
            Role::Manager,
            "The volumes of the application's services.",
        )
        .output::<Volumes>(),
        volumes,
    );
    api.add(
        Endpoint::new(
            Verb::Post,
            "/v1/vm/volumes",
            "vm_volume_create",
            Role::Manager,
            "Makes a volume for a node; answers when the node has it.",
        )
        .input::<VolumeCreate>()
        .output::<Volume>(),
        volume_create,
    );
    api.add(
        Endpoint::new(
            Verb::Delete,
            "/v1/vm/volumes/{id}",
            "vm_volume_delete",
            Role::Manager,
            "Removes a volume with its data; answers when it is gone.",
        ),
        volume_delete,
    );
    api.add(
        Endpoint::new(
            Verb::Put,
            "/v1/vm/services/{id}",
            "vm_service_report",
            Role::Manager,
            "Reports the state of a service.",
        )
        .input::<ServiceReport>(),
        service_report,
    );
}

async fn certificate(
    State(app): State<App>,
    Body(request): Body<CertificateRequest>,
) -> Answer<CertificateGrant> {
    answer(app.vm_certificate(request).await)
}

async fn ready(State(app): State<App>, Extension(vm): Extension<Vm>) -> Answer<()> {
    answer(app.vm_ready(&vm).await)
}

/// That it calls is all it has to say.
async fn alive(Extension(_): Extension<Vm>) -> Answer<()> {
    answer(Ok(()))
}

async fn services_wanted(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
) -> Answer<ServicesWanted> {
    answer(app.vm_services_wanted(&vm).await)
}

async fn nodes(State(app): State<App>, Extension(vm): Extension<Vm>) -> Answer<Nodes> {
    Ok(Json(Nodes { nodes: app.vm_nodes(&vm).await? }))
}

async fn nodes_create(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Body(create): Body<NodesCreate>,
) -> Answer<Nodes> {
    Ok(Json(Nodes { nodes: app.vm_nodes_create(&vm, create).await? }))
}

async fn nodes_delete(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Body(delete): Body<NodesDelete>,
) -> Answer<()> {
    answer(app.vm_nodes_delete(&vm, &delete.nodes).await)
}

async fn cloud(State(app): State<App>, Path(name): Path<String>) -> Answer<Cloud> {
    answer(app.cloud_view(&name).await)
}

async fn volumes(State(app): State<App>, Extension(vm): Extension<Vm>) -> Answer<Volumes> {
    Ok(Json(Volumes { volumes: app.vm_volumes(&vm).await? }))
}

async fn volume_create(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Body(create): Body<VolumeCreate>,
) -> Answer<Volume> {
    answer(app.vm_volume_create(&vm, create).await)
}

async fn volume_delete(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Path(id): Path<VolumeId>,
) -> Answer<()> {
    answer(app.vm_volume_delete(&vm, id).await)
}

async fn service_report(
    State(app): State<App>,
    Extension(vm): Extension<Vm>,
    Path(id): Path<ServiceId>,
    Body(report): Body<ServiceReport>,
) -> Answer<()> {
    answer(app.vm_service_report(&vm, id, &report).await)
}
