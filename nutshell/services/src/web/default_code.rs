//! The initial code version: a page that says that the service works.

/// The archive for a service of this title, always the same bytes.
pub(crate) fn archive(title: &str) -> Vec<u8> {
    let page = format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>It works</title></head>
<body>
<h1>It works</h1>
<p>This {title} service has no application yet. Upload one and enable it to see it here.</p>
</body>
</html>
"#
    );
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(page.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "index.html", page.as_bytes())
        .expect("memory takes what is written to it");
    builder.into_inner().expect("memory takes what is written to it")
}
