//! Launch templates and their versions, and instances made from them.

use super::{Ec2, every, one, with_bob};
use crate::client::Stack;

#[tokio::test]
async fn an_instance_is_as_its_template_says_and_its_request_overrides() {
    let stack = Stack::start().await;
    let ec2 = Ec2::of(&stack, "ada");
    let image = ec2.image().await;
    let first = [
        ("LaunchTemplateName", "web"),
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "m1.tiny"),
        ("LaunchTemplateData.UserData", "Zmlyc3Q="),
        ("LaunchTemplateData.TagSpecification.1.ResourceType", "instance"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "Name"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Value", "of-a-template"),
        ("TagSpecification.1.ResourceType", "launch-template"),
        ("TagSpecification.1.Tag.1.Key", "team"),
        ("TagSpecification.1.Tag.1.Value", "red"),
    ];
    let made = ec2.ok("CreateLaunchTemplate", &first).await;
    let id = one(&made, "launchTemplateId").to_owned();
    assert_eq!((one(&made, "latestVersionNumber"), one(&made, "value")), ("1", "red"));
    let again = ec2.refusal("CreateLaunchTemplate", &first).await;
    assert_eq!(again, "InvalidLaunchTemplateName.AlreadyExistsException");

    let second = [
        ("LaunchTemplateId", id.as_str()),
        ("SourceVersion", "1"),
        ("VersionDescription", "larger"),
        ("LaunchTemplateData.InstanceType", "m1.small"),
    ];
    let text = ec2.ok("CreateLaunchTemplateVersion", &second).await;
    assert_eq!((one(&text, "versionNumber"), one(&text, "defaultVersion")), ("2", "false"));
    assert_eq!((one(&text, "imageId"), one(&text, "instanceType")), (image.as_str(), "m1.small"));

    let run = async |more: &[(&str, &str)]| {
        let mut parameters = vec![
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("LaunchTemplate.LaunchTemplateName", "web"),
        ];
        parameters.extend(more);
        let text = ec2.ok("RunInstances", &parameters).await;
        assert_eq!((one(&text, "imageId"), one(&text, "value")), (image.as_str(), "of-a-template"));
        one(&text, "instanceType").to_owned()
    };
    assert_eq!(run(&[]).await, "m1.tiny", "the default version");
    assert_eq!(run(&[("LaunchTemplate.Version", "$Latest")]).await, "m1.small");
    assert_eq!(run(&[("InstanceType", "m1.medium")]).await, "m1.medium");
    ec2.ok("ModifyLaunchTemplate", &[("LaunchTemplateName", "web"), ("SetDefaultVersion", "2")])
        .await;
    assert_eq!(run(&[]).await, "m1.small");

    let missing = [
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("LaunchTemplate.LaunchTemplateId", id.as_str()),
        ("LaunchTemplate.Version", "9"),
    ];
    let code = ec2.refusal("RunInstances", &missing).await;
    assert_eq!(code, "InvalidLaunchTemplateId.VersionNotFound");
    let instances = ec2.ok("DescribeInstances", &[]).await;
    let like = [("InstanceId", one(&instances, "instanceId"))];
    let data = ec2.ok("GetLaunchTemplateData", &like).await;
    assert_eq!((one(&data, "imageId"), one(&data, "userData")), (image.as_str(), "Zmlyc3Q="));
}

#[tokio::test]
async fn versions_are_listed_and_removed_but_the_default_one() {
    let stack = with_bob().await;
    let ec2 = Ec2::of(&stack, "ada");
    let data = ("LaunchTemplateData.InstanceType", "m1.tiny");
    let name = ("LaunchTemplateName", "web");
    let made = ec2.ok("CreateLaunchTemplate", &[name, data]).await;
    for _ in 0..2 {
        ec2.ok("CreateLaunchTemplateVersion", &[name, data]).await;
    }
    let versions = async |more: &[(&str, &str)]| {
        let text = ec2.ok("DescribeLaunchTemplateVersions", more).await;
        every(&text, "versionNumber").join(" ")
    };
    assert_eq!(versions(&[name]).await, "1 2 3");
    assert_eq!(versions(&[name, ("MinVersion", "2")]).await, "2 3");
    assert_eq!(versions(&[("LaunchTemplateVersion.1", "$Latest")]).await, "3");
    let both =
        [name, ("LaunchTemplateVersion.1", "$Latest"), ("LaunchTemplateVersion.2", "$Default")];
    assert_eq!(versions(&both).await, "1 3");
    let unwanted = [name, ("LaunchTemplateVersion.1", "1"), ("LaunchTemplateVersion.2", "3")];
    let text = ec2.ok("DeleteLaunchTemplateVersions", &unwanted).await;
    assert_eq!(every(&text, "versionNumber"), ["3", "1"], "removed, and not");
    assert_eq!(one(&text, "code"), "unexpectedError");
    assert_eq!(versions(&[name]).await, "1 2");
    let nothing = ec2.refusal("DescribeLaunchTemplateVersions", &[]).await;
    assert_eq!(nothing, "MissingParameter");

    let bob = Ec2::of(&stack, "bob");
    let id = [("LaunchTemplateId.1", one(&made, "launchTemplateId"))];
    let code = bob.refusal("DescribeLaunchTemplates", &id).await;
    assert_eq!(code, "InvalidLaunchTemplateId.NotFound");
    ec2.ok("DeleteLaunchTemplate", &[name]).await;
    let gone = [("LaunchTemplateName.1", "web")];
    let code = ec2.refusal("DescribeLaunchTemplates", &gone).await;
    assert_eq!(code, "InvalidLaunchTemplateName.NotFoundException");
}
