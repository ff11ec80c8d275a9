//! Key pairs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::errors::Fault;
use super::filters::Filters;
use super::ids::Kind;
use super::operation::Call;
use super::tags::{self, Tags, tag_set};
use super::xml::{Millis, Xml};
use crate::cloud::chain;
use crate::key_material::{self, Algorithm, PublicKey};
use crate::model::error::Error;
use crate::model::{KeyPair, Model};

pub(super) async fn create(call: Call) -> Result<Xml, Fault> {
    let algorithm = match call.params.text("KeyType") {
        None | Some("rsa") => Algorithm::Rsa,
        Some("ed25519") => Algorithm::Ed25519,
        Some(other) => {
            let message = format!("Value ({other}) for parameter KeyType is invalid.");
            return Err(Fault::invalid_value(message));
        }
    };
    if call.params.text("KeyFormat").is_some_and(|format| format != "pem") {
        let message = "This cloud gives keys in the format pem only";
        return Err(Fault::new("UnsupportedOperation", message));
    }
    let name = call.params.required("KeyName")?;
    if call.cloud.read().key_pair(call.caller.user_id, name).is_ok() {
        return Err(duplicate(name));
    }
    let made = key_material::generate(algorithm).await.map_err(|error| {
        tracing::error!(error = chain(&error), "failed to make a key pair");
        Fault::internal()
    })?;
    let key = keep(&call, &made.public, made.private_digest).await?;
    let mut xml = Xml::default();
    xml.text("keyName", &key.name);
    xml.text("keyFingerprint", fingerprint(&key));
    xml.text("keyMaterial", &made.private);
    xml.text("keyPairId", Kind::KeyPair.id(key.id));
    tag_set(&mut xml, &key.tags);
    Ok(xml)
}

pub(super) async fn import(call: Call) -> Result<Xml, Fault> {
    let invalid =
        || Fault::new("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    let material = STANDARD.decode(call.params.required("PublicKeyMaterial")?);
    let material = material.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let material = material.ok_or_else(invalid)?;
    let known = PublicKey::read(&material).and_then(|key| key.ec2_fingerprint());
    known.ok_or_else(invalid)?;
    let key = keep(&call, material.trim(), None).await?;
    let mut xml = Xml::default();
    xml.text("keyName", &key.name);
    xml.text("keyFingerprint", fingerprint(&key));
    xml.text("keyPairId", Kind::KeyPair.id(key.id));
    tag_set(&mut xml, &key.tags);
    Ok(xml)
}

/// Keeps a public key under the name that the request gives it.
async fn keep(call: &Call, public: &str, private_digest: Option<String>) -> Result<KeyPair, Fault> {
    let name = call.params.required("KeyName")?;
    let tags: Tags = tags::specified(&call.params, Kind::KeyPair)?;
    let kept = call.cloud.change(|model, now| {
        let mut key = match model.create_key_pair(&call.caller, name, public, now) {
            Ok(key) => key,
            Err(Error::Conflict(_)) => return Err(duplicate(name)),
            Err(error) => return Err(error.into()),
        };
        key.private_digest = private_digest;
        key.tags = tags;
        model.key_pairs.insert(key.clone());
        Ok(key)
    });
    kept.await
}

fn duplicate(name: &str) -> Fault {
    Fault::new("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."))
}

/// As EC2 shows it: a pair that it made by its private half.
fn fingerprint(key: &KeyPair) -> String {
    let of_public = || PublicKey::read(&key.public_key)?.ec2_fingerprint();
    key.private_digest.clone().or_else(of_public).unwrap_or_else(|| key.fingerprint.clone())
}

pub(super) fn key_pairs(call: &Call) -> Result<Xml, Fault> {
    let filters = Filters::read(&call.params, &["key-name", "key-pair-id", "fingerprint"])?;
    let with_key = call.params.flag("IncludePublicKey")?.unwrap_or(false);
    let model = call.cloud.read();
    let (names, ids) = (call.params.texts("KeyName"), call.params.texts("KeyPairId"));
    for name in &names {
        model.key_pair(call.caller.user_id, name)?;
    }
    for id in &ids {
        by_id(call, &model, id)?;
    }
    let shown = own(call, &model).filter(|key| {
        let id = Kind::KeyPair.id(key.id).to_string();
        let named = names.contains(&key.name.as_str()) || ids.contains(&id.as_str());
        (named || (names.is_empty() && ids.is_empty()))
            && filters.pass(&key.tags, |filter| match filter {
                "key-name" => vec![key.name.clone()],
                "key-pair-id" => vec![id.clone()],
                _ => vec![fingerprint(key)],
            })
    });
    let mut xml = Xml::default();
    xml.list("keySet", shown, |xml, key| {
        let algorithm = key.public_key.split_whitespace().next().unwrap_or_default();
        xml.text("keyPairId", Kind::KeyPair.id(key.id));
        xml.text("keyName", &key.name);
        xml.text("keyType", algorithm.trim_start_matches("ssh-"));
        xml.text("keyFingerprint", fingerprint(key));
        xml.optional("publicKey", with_key.then_some(&key.public_key));
        xml.text("createTime", Millis(key.created));
        tag_set(xml, &key.tags);
    });
    Ok(xml)
}

pub(super) async fn delete(call: Call) -> Result<Xml, Fault> {
    let params = &call.params;
    let removed = call.cloud.change(|model, _| {
        let id = match (params.text("KeyPairId"), params.text("KeyName")) {
            (Some(id), _) => Some(by_id(&call, model, id)?.id),
            // As in AWS, a name that is not there is as good as removed.
            (None, Some(name)) => model.key_pair(call.caller.user_id, name).ok().map(|key| key.id),
            (None, None) => return Err(Fault::missing_parameter("KeyName")),
        };
        Ok(id.and_then(|id| model.key_pairs.remove(id)))
    });
    let removed = removed.await?;
    let mut xml = Xml::default();
    xml.text("return", true);
    xml.optional("keyPairId", removed.map(|key| Kind::KeyPair.id(key.id)));
    Ok(xml)
}

fn own<'a>(call: &Call, model: &'a Model) -> impl Iterator<Item = &'a KeyPair> {
    let user = call.caller.user_id;
    model.key_pairs.iter().filter(move |key| key.user_id == user)
}

/// The caller's key pair with an id.
pub(super) fn by_id<'a>(call: &Call, model: &'a Model, text: &str) -> Result<&'a KeyPair, Fault> {
    let id = Kind::KeyPair.parse(text)?;
    own(call, model)
        .find(|key| Kind::KeyPair.id(key.id) == id)
        .ok_or_else(|| Fault::missing(Kind::KeyPair, text))
}
