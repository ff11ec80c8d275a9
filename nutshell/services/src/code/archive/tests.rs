//! Archives good and bad, made here byte by byte.

use std::io::Cursor;

use zip::write::SimpleFileOptions;

use super::*;

pub(super) fn tar_of(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    build(&mut builder);
    builder.into_inner().unwrap()
}

pub(super) fn add(builder: &mut tar::Builder<Vec<u8>>, path: &str, kind: EntryType, body: &[u8]) {
    let mut header = tar::Header::new_gnu();
    // Past the builder's own care for safe names.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o755);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.as_old_mut().linkname[..body.len()].copy_from_slice(body);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
    } else {
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body).unwrap();
    }
}

pub(super) fn good_tar() -> Vec<u8> {
    tar_of(|builder| {
        add(builder, "./", EntryType::Directory, b"");
        add(builder, "./run.sh", EntryType::Regular, b"echo run\n");
        add(builder, "lib/data", EntryType::Regular, &[7; 5000]);
        add(builder, "lib/link", EntryType::Symlink, b"../run.sh");
    })
}

pub(super) fn good_zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("run.sh", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    writer.write_all(b"echo run\n").unwrap();
    writer.start_file("lib/data", SimpleFileOptions::default()).unwrap();
    writer.write_all(&[7; 5000]).unwrap();
    writer.add_symlink("lib/link", "../run.sh", SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap().into_inner()
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn checked(content: &[u8]) -> Result<Contents, ArchiveError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    check(file.path(), Limits { entries: 10, bytes: 1 << 20 })
}

fn refusal(content: &[u8]) -> String {
    checked(content).unwrap_err().refusal("app.tar.gz").message
}

#[test]
fn every_form_is_recognised_by_content_and_unpacks_to_the_same() {
    for content in [good_tar(), gzip(&good_tar()), bzip2(&good_tar()), good_zip()] {
        let contents = checked(&content).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("archive");
        fs::write(&file, content).unwrap();
        let into = directory.path().join("into");
        fs::create_dir(&into).unwrap();
        unpack(&file, &contents, &into).unwrap();
        assert_eq!(fs::read(into.join("run.sh")).unwrap(), b"echo run\n");
        assert_eq!(fs::read(into.join("lib/link")).unwrap(), b"echo run\n");
        assert_eq!(fs::read(into.join("lib/data")).unwrap().len(), 5000);
    }
}

#[test]
fn what_is_no_archive_is_called_so() {
    assert_eq!(refusal(b""), "`app.tar.gz` is empty");
    for content in [b"#!/bin/sh\n".to_vec(), vec![1; 2000], gzip(b"just text"), b"\x89PNG".to_vec()]
    {
        assert_eq!(refusal(&content), "`app.tar.gz` is not a tar or zip archive");
    }
}

#[test]
fn archives_with_nothing_in_them_are_empty() {
    let directories = tar_of(|builder| add(builder, "d/", EntryType::Directory, b""));
    let zip = zip::ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap().into_inner();
    for content in [tar_of(|_| ()), gzip(&tar_of(|_| ())), directories, zip] {
        assert_eq!(refusal(&content), "`app.tar.gz` is empty");
    }
}

#[test]
fn broken_off_and_altered_archives_are_damaged() {
    for whole in [good_tar(), gzip(&good_tar()), bzip2(&good_tar()), good_zip()] {
        let cut = &whole[..whole.len() / 2];
        assert_eq!(refusal(cut), "`app.tar.gz` is damaged");
    }
    for mut altered in [gzip(&good_tar()), good_zip()] {
        let middle = if altered.starts_with(b"PK") { 40 } else { altered.len() - 6 };
        altered[middle] ^= 0xff;
        assert_eq!(refusal(&altered), "`app.tar.gz` is damaged");
    }
}

#[test]
fn entries_that_reach_outside_are_named() {
    for (path, kind, body) in [
        ("../evil", EntryType::Regular, &b"x"[..]),
        ("/etc/evil", EntryType::Regular, b"x"),
        ("evil", EntryType::Symlink, b"/etc/passwd"),
        ("evil", EntryType::Symlink, b"../.."),
        ("evil", EntryType::Link, b"/etc/passwd"),
        ("evil", EntryType::Char, b""),
        ("evil", EntryType::Fifo, b""),
    ] {
        let message = refusal(&gzip(&tar_of(|builder| add(builder, path, kind, body))));
        assert!(message.starts_with(&format!("`app.tar.gz` is refused: `{path}` ")), "{message}");
    }
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("../evil", SimpleFileOptions::default()).unwrap();
    let zip = writer.finish().unwrap().into_inner();
    assert!(refusal(&zip).contains("`../evil` leads out"));
}

#[test]
fn a_single_directory_is_unpacked_as_its_contents() {
    let wrapped = tar_of(|builder| {
        add(builder, "./app/", EntryType::Directory, b"");
        add(builder, "./app/run.sh", EntryType::Regular, b"echo run\n");
        add(builder, "app/again.sh", EntryType::Link, b"app/run.sh");
        add(builder, "app/lib/link", EntryType::Symlink, b"../run.sh");
    });
    let contents = checked(&wrapped).unwrap();
    assert!(contents.has_file("run.sh"));
    let directory = tempfile::tempdir().unwrap();
    let (file, into) = (directory.path().join("archive"), directory.path().join("into"));
    fs::write(&file, wrapped).unwrap();
    fs::create_dir(&into).unwrap();
    unpack(&file, &contents, &into).unwrap();
    for path in ["run.sh", "again.sh", "lib/link"] {
        assert_eq!(fs::read(into.join(path)).unwrap(), b"echo run\n", "{path}");
    }
    // Inside the archive, but not inside the directory that is unpacked.
    let leaving = tar_of(|builder| {
        add(builder, "app/run.sh", EntryType::Regular, b"");
        add(builder, "app/link", EntryType::Symlink, b"../app/run.sh");
    });
    assert!(refusal(&leaving).contains("`app/link` is a link that leads out"));
}

#[test]
fn bombs_do_not_go_off() {
    let many = tar_of(|builder| {
        (0..11).for_each(|n| add(builder, &format!("f{n}"), EntryType::Regular, b"x"));
    });
    let large = tar_of(|builder| add(builder, "f", EntryType::Regular, &vec![0; (1 << 20) + 1]));
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..11 {
        writer.start_file(format!("f{n}"), SimpleFileOptions::default()).unwrap();
    }
    let zip = writer.finish().unwrap().into_inner();
    for content in [gzip(&many), gzip(&large), bzip2(&large), zip] {
        assert!(matches!(checked(&content), Err(ArchiveError::TooMuch(_))));
    }
}

#[test]
fn names_and_what_is_no_file_do_not_go_off_either() {
    let long = vec![b'a'; (64 << 10) + 1];
    let large = vec![0; (1 << 20) + 1];
    let one = |kind, body: &[u8]| {
        tar_of(|builder| {
            add(builder, "x", kind, body);
            add(builder, "f", EntryType::Regular, b"x");
        })
    };
    for content in [
        one(EntryType::GNULongName, &long),
        one(EntryType::GNULongLink, &long),
        one(EntryType::XHeader, &long),
        one(EntryType::XGlobalHeader, &large),
        one(EntryType::Directory, &large),
    ] {
        for content in [gzip(&content), content] {
            assert!(matches!(checked(&content), Err(ArchiveError::TooMuch(_))));
        }
    }
    let many =
        tar_of(|builder| (0..11).for_each(|_| add(builder, "g", EntryType::XGlobalHeader, b"")));
    assert!(matches!(checked(&many), Err(ArchiveError::TooMuch(_))));
}

#[test]
fn long_names_are_names_like_others() {
    let name = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let content = tar_of(|builder| {
        add(builder, "pax", EntryType::XGlobalHeader, b"");
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        builder.append_data(&mut header, &name, &b"x"[..]).unwrap();
    });
    let directory = tempfile::tempdir().unwrap();
    let (file, into) = (directory.path().join("archive"), directory.path().join("into"));
    fs::write(&file, gzip(&content)).unwrap();
    let contents = check(&file, Limits::default()).unwrap();
    unpack(&file, &contents, &into).unwrap();
    let (_wrapper, name) = name.split_once('/').unwrap();
    assert_eq!(fs::read(into.join(name)).unwrap(), b"x");
}
