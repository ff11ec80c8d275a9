//! Who asks: signatures, keys and accounts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_cloud::model::AccessKeyPair;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn only_right_signatures_are_believed() {
    let stack = Stack::start().await;
    let mut ec2 = Ec2::of(&stack, "ada");
    let request = || stack.http.post(stack.cloud.ec2_url()).body("Action=DescribeRegions");
    let text = request().send().await.unwrap().text().await.unwrap();
    assert_eq!(one(&text, "Code"), "MissingAuthenticationToken");
    let text = request().header("Authorization", "Basic x").send().await.unwrap();
    assert_eq!(one(&text.text().await.unwrap(), "Code"), "IncompleteSignature");

    stack.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "RequestExpired");
    ec2.key.secret.push('x');
    assert_eq!(ec2.send("DescribeRegions", &[]).await.0, 403);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "SignatureDoesNotMatch");
    ec2.key.access.push('X');
    assert_eq!(ec2.send("DescribeRegions", &[]).await.0, 401);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "AuthFailure");
}

#[tokio::test]
async fn an_account_sees_its_own_things_only() {
    let stack = Stack::start().await;
    let (ada, admin) = (Ec2::of(&stack, "ada"), Ec2::of(&stack, "admin"));
    let id = ada.run(&[]).await;
    let it = [("InstanceId.1", id.as_str())];
    assert_eq!(admin.refusal("TerminateInstances", &it).await, "InvalidInstanceID.NotFound");
    assert_eq!(every(&admin.ok("DescribeInstances", &[]).await, "instanceId").len(), 0);
}

#[tokio::test]
async fn keystone_gives_keys_that_sign() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let projects = ada.get("/v3/auth/projects").await;
    let project = &projects["projects"][0]["id"];
    let user = ada.get("/compute/v2.1/os-keypairs").await;
    assert_eq!(user["keypairs"], json!([]));
    let token =
        ada.request(reqwest::Method::GET, "/v3/auth/tokens").header("X-Subject-Token", &ada.token);
    let token: serde_json::Value = token.send().await.unwrap().json().await.unwrap();
    let path =
        format!("/v3/users/{}/credentials/OS-EC2", token["token"]["user"]["id"].as_str().unwrap());
    let (status, answer) = ada.post(&path, json!({"tenant_id": project})).await;
    assert_eq!(status, 201, "{answer}");
    let text = |name: &str| answer["credential"][name].as_str().unwrap().to_owned();
    let key = AccessKeyPair { access: text("access"), secret: text("secret") };
    let ec2 = Ec2 { key, ..Ec2::of(&stack, "ada") };
    ec2.ok("DescribeRegions", &[]).await;
    assert_eq!(ada.get(&path).await["credentials"].as_array().unwrap().len(), 2);
    assert_eq!(ada.delete(&format!("{path}/{}", ec2.key.access)).await, 204);
    assert_eq!(ec2.refusal("DescribeRegions", &[]).await, "AuthFailure");
}

#[tokio::test]
async fn keys_and_the_terminated_outlive_a_restart() {
    let stack = Stack::start().await;
    let key = stack.cloud.access_key("ada").unwrap();
    let id = Ec2::of(&stack, "ada").run(&[]).await;
    Ec2::of(&stack, "ada").ok("TerminateInstances", &[("InstanceId.1", &id)]).await;
    let stack = stack.restart().await;
    let ec2 = Ec2::of(&stack, "ada");
    assert!(ec2.key == key);
    let text = ec2.ok("DescribeInstances", &[]).await;
    assert_eq!(one(&text, "instanceId"), id);
}

/// A query signed in version 2, as clients of long ago do.
fn signed_v2(ec2: &Ec2<'_>, host: &str, timestamp: &str) -> String {
    let encode = |text: &str| text.replace(':', "%3A").replace('+', "%2B").replace('/', "%2F");
    let query = format!(
        "AWSAccessKeyId={}&Action=DescribeRegions&SignatureMethod=HmacSHA256&SignatureVersion=2\
         &Timestamp={}&Version=2013-10-15",
        ec2.key.access,
        encode(timestamp)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(ec2.key.secret.as_bytes()).unwrap();
    mac.update(format!("GET\n{host}\n/ec2/\n{query}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    format!("{query}&Signature={}", encode(&signature).replace('=', "%3D"))
}

#[tokio::test]
async fn clients_of_long_ago_sign_in_version_2() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let host = stack.cloud.address().to_string();
    let now = time::OffsetDateTime::now_utc();
    let stamp = |time: time::OffsetDateTime| {
        time.format(&time::macros::format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second]Z"
        ))
    };
    let (now, old) =
        (stamp(now).unwrap(), stamp(now - std::time::Duration::from_secs(600)).unwrap());
    let get = async |query: String| {
        let answer = stack.http.get(format!("{}?{query}", stack.cloud.ec2_url())).send().await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = get(signed_v2(&ec2, &host, &now)).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("xmlns=\"http://ec2.amazonaws.com/doc/2013-10-15/\""), "{text}");
    let host_only = host.split(':').next().unwrap();
    assert_eq!(get(signed_v2(&ec2, host_only, &now)).await.0, 200, "signed without the port");
    let (_, text) = get(signed_v2(&ec2, &host, &old)).await;
    assert_eq!(one(&text, "Code"), "RequestExpired");
    let other = signed_v2(&ec2, &host, &now).replace("DescribeRegions", "DescribeImages");
    assert_eq!(one(&get(other).await.1, "Code"), "SignatureDoesNotMatch");
}
