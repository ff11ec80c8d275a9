//! What goes wrong, done to a world.

use reqwest::Method;
use serde_json::{Value, json};

use crate::plan::{Fault, Trouble, Way};
use crate::world::{World, members};

/// Does it. What it was to happen to may not be there, and then nothing happens.
pub(crate) async fn cause(world: &mut World, trouble: Trouble) -> Result<(), String> {
    match trouble {
        Trouble::KillDirector(away) => world.kill_director(away).await,
        Trouble::KillCloud(away) => world.kill_cloud(away).await,
        Trouble::KillManager(which) => {
            kill_member(world, "manager", which);
            Ok(())
        }
        Trouble::KillAgent(which) => {
            kill_member(world, "agent", which);
            Ok(())
        }
        Trouble::StopServer(which) => {
            if let Some(id) = a_server(world, which).await {
                world.kills += 1;
                let path = format!("/servers/{id}/kill");
                // It may be gone by now, or not run yet.
                let _ = world.cloud.steer(Method::POST, &path, Value::Null).await;
            }
            Ok(())
        }
        Trouble::DeleteServer(which) => {
            if let (Some(id), Ok(user)) = (a_server(world, which).await, world.cloud.user().await) {
                world.kills += 1;
                let _ = user.delete_server(&id).await;
            }
            Ok(())
        }
        Trouble::SetClock(minutes) => world.set_clock(minutes),
        Trouble::Fault(fault) => {
            world.cloud.steer(Method::POST, "/faults", description(fault)).await
        }
    }
}

fn kill_member(world: &mut World, role: &str, which: usize) {
    let members = members(world, role);
    if let Some(pid) = which.checked_rem(members.len()).and_then(|which| members.get(which)) {
        world.kill(*pid);
    }
}

async fn a_server(world: &World, which: usize) -> Option<String> {
    let servers = world.cloud.user().await.ok()?.servers().await.ok()?;
    let server = servers.get(which.checked_rem(servers.len())?)?;
    Some(server["id"].as_str()?.to_owned())
}

/// As the steering API takes it.
fn description(Fault { at, way, times }: Fault) -> Value {
    let effect = match way {
        Way::Status(status, after) => json!({"error": {"status": status, "after": after}}),
        Way::Drop(after) => json!({"drop": {"after": after}}),
        Way::Fail => json!({"fail": {}}),
        Way::Delay(time) => json!({"delay": {"seconds": time.as_secs_f64()}}),
    };
    json!({"at": at, "effect": effect, "times": times})
}
