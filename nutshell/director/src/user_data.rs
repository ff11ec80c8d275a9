//! The script that makes a manager or an agent out of a fresh server.

use protocol::boot::{BootConfig, BootRole};

/// The script's text; what differs from server to server stands between `@`s.
const TEMPLATE: &str = include_str!("user_data.sh");

/// How much of the executable's hash names its folder.
const SHORT: usize = 16;

/// The user-data of a server: for a POSIX shell, run once.
pub(crate) fn script(boot: &BootConfig, sha256: &str) -> String {
    let kind = match boot.role {
        BootRole::Manager => "manager",
        BootRole::Agent { .. } => "agent",
    };
    // JSON in one line: no line of it can be the end of the here-document.
    let json = serde_json::to_string(boot).expect("strings and ids are always JSON");
    let short = &sha256[..SHORT.min(sha256.len())];
    TEMPLATE
        .replace("@KIND@", kind)
        .replace("@URL@", &quoted(&boot.director_url))
        .replace("@SHA256@", &quoted(sha256))
        .replace("@SHORT@", short)
        // Last: what they hold is not looked at again.
        .replace("@CA@", boot.ca_certificate.trim_end())
        .replace("@BOOT@", &json)
}

/// One word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(crate) mod tests;
