//! Key pairs and tags.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Ec2, every, one};
use crate::client::Stack;

#[tokio::test]
async fn key_pairs_and_tags() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let text = ec2.ok("CreateKeyPair", &[("KeyName", "mine"), ("KeyType", "ed25519")]).await;
    assert!(one(&text, "keyMaterial").starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    let (key, name) = (one(&text, "keyPairId"), [("KeyName", "mine")]);
    assert_eq!(ec2.refusal("CreateKeyPair", &name).await, "InvalidKeyPair.Duplicate");
    let keys = stack.ada().await.get("/compute/v2.1/os-keypairs").await;
    assert_eq!(keys["keypairs"][0]["keypair"]["name"], "mine");
    let id = ec2.run(&name).await;
    let tag = [
        ("ResourceId.1", key),
        ("ResourceId.2", id.as_str()),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "red"),
    ];
    ec2.ok("CreateTags", &tag).await;
    let text =
        ec2.ok("DescribeTags", &[("Filter.1.Name", "key"), ("Filter.1.Value.1", "team")]).await;
    assert_eq!(every(&text, "resourceType"), ["instance", "key-pair"]);
    ec2.ok("DeleteTags", &tag).await;
    assert_eq!(every(&ec2.ok("DescribeTags", &[]).await, "item").len(), 0);
    ec2.ok("DeleteKeyPair", &name).await;
    assert_eq!(
        ec2.refusal("DescribeKeyPairs", &[("KeyName.1", "mine")]).await,
        "InvalidKeyPair.NotFound"
    );
}

#[tokio::test]
async fn keys_are_rsa_by_default_and_shown_as_they_came() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let made = ec2.ok("CreateKeyPair", &[("KeyName", "made")]).await;
    assert!(one(&made, "keyMaterial").starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    let shown = ec2.ok("DescribeKeyPairs", &[("IncludePublicKey", "true")]).await;
    assert_eq!(one(&shown, "keyType"), "rsa");
    assert_eq!(one(&shown, "keyFingerprint"), one(&made, "keyFingerprint"));
    assert_eq!(one(&shown, "keyFingerprint").len(), 59, "of the private half: SHA-1");

    let public = STANDARD.encode(one(&shown, "publicKey"));
    let import = [("KeyName", "brought"), ("PublicKeyMaterial", public.as_str())];
    let brought = ec2.ok("ImportKeyPair", &import).await;
    assert_eq!(one(&brought, "keyFingerprint").len(), 47, "of the public half: MD5");

    let ecdsa = STANDARD.encode(
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGxN\
         cDkwIqPMzT0jd5Rmz2QyR4A2a0Zk9pFTDbI0ER3rCNKKdqmSQ6FLkH6uKnGwXGbmxCh3ZxmvuYb1p7rTM9E=",
    );
    for material in [ecdsa, STANDARD.encode("no key")] {
        let import = [("KeyName", "other"), ("PublicKeyMaterial", material.as_str())];
        assert_eq!(ec2.refusal("ImportKeyPair", &import).await, "InvalidKey.Format");
    }
}
