//! Measures what the design promises and prints medians, with the aims beside them.
//!
//! `cargo run --release -p integration --bin bench [platform|cloud|web|autoscaling|all] [RUNS]`; needs
//! `cargo build --release --workspace` before. The cloud is measured beside its peers when their programs are
//! in `PATH`: `moto_server` (`moto[server,ec2]` of PyPI) and `ministack`. Load comes from `wrk`.

mod autoscaling;
mod cloud;
mod ec2;
mod load;
mod openstack;
mod peers;
mod platform;
mod server;
mod services;
mod table;
mod web;

use std::process::ExitCode;

use table::Table;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let what = arguments.next_if(|text| text.parse::<usize>().is_err());
    let runs = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    // What clients speak TLS with.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut table = Table::default();
    match what.as_deref() {
        None | Some("all") => {
            platform::bench(&mut table, runs);
            services::bench(&mut table);
            cloud::bench(&mut table, runs);
            web::bench(&mut table, runs);
        }
        Some("platform") => {
            platform::bench(&mut table, runs);
            services::bench(&mut table);
        }
        Some("cloud") => cloud::bench(&mut table, runs),
        Some("web") => match integration::executable::in_path("wrk") {
            Some(_) => web::bench(&mut table, runs),
            None => return lacks_wrk(),
        },
        Some("autoscaling") => {
            autoscaling::bench();
            return ExitCode::SUCCESS;
        }
        Some(_) => return usage(),
    }
    table.print();
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "how a command is used is said where errors are")]
fn usage() -> ExitCode {
    eprintln!("usage: bench [platform|cloud|web|autoscaling|all] [RUNS]");
    ExitCode::from(2)
}

#[expect(clippy::print_stderr, reason = "what is missing is said where errors are")]
fn lacks_wrk() -> ExitCode {
    eprintln!("error: there is no `wrk`, which makes the load: install Debian's package wrk");
    ExitCode::FAILURE
}
