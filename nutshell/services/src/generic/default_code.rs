//! The initial code version: five scripts that write down what they know.

use protocol::api::generic::Script;

const SCRIPT: &str = r#"#!/bin/bash
# Replace this file by what your application needs. What a script can know is shown below.
agents=${AGENTS_FILE:-/var/cache/cpsagent/agents.json}
{
  date
  echo "Executing script ${0##*/}"
  echo "Parameters ($#): $*"
  echo "My IP is $MY_IP"
  echo "My role is $MY_ROLE"
  echo "My master IP is $MASTER_IP"
  echo "Information about other agents is stored at $agents"
  cat "$agents"
  echo
  echo
} >>"$HOME/generic.out"
"#;

/// The archive, always the same bytes.
pub(super) fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for script in Script::ALL {
        let mut header = tar::Header::new_gnu();
        header.set_size(SCRIPT.len() as u64);
        header.set_mode(0o755);
        builder
            .append_data(&mut header, script.file_name(), SCRIPT.as_bytes())
            .expect("memory takes what is written to it");
    }
    builder.into_inner().expect("memory takes what is written to it")
}
