//! The script that makes a manager or an agent out of a fresh server.

use protocol::boot::{BootConfig, BootRole};
use sha2::{Digest, Sha256};

/// The script's text; what differs from server to server stands between `@`s.
const TEMPLATE: &str = include_str!("user_data.sh");

/// How much of the executable's hash names its folder.
const SHORT: usize = 16;

/// The user-data of a server: for a POSIX shell, run once. The user's own startup script runs
/// before the agent does.
pub(crate) fn script(boot: &BootConfig, sha256: &str, startup_script: Option<&str>) -> String {
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
        .replace("@STARTUP@", &startup_script.map(startup).unwrap_or_default())
}

/// Writes the user's script down and runs it, for better or worse.
fn startup(script: &str) -> String {
    // The end of the here-document is no line of the script: nothing holds its own hash.
    let end = format!("STARTUP_{:x}", Sha256::digest(script));
    format!(
        "cat > \"$config/startup.sh\" <<'{end}'\n{script}\n{end}\n\
         chmod 700 \"$config/startup.sh\"\n\
         \"$config/startup.sh\" >>\"$root/var/log/startup.log\" 2>&1 ||\n    \
         echo \"nutshell: the startup script failed with $?, its output is in $root/var/log/startup.log\" >&2\n"
    )
}

/// One word of the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(crate) mod tests;
