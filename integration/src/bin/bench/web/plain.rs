//! nginx and php-fpm as a careful administrator has them, with the settings that the service has.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::wait_for;
use tempfile::TempDir;

/// They run until this is dropped.
pub(super) struct Plain {
    processes: [Child; 2],
    pub(super) address: SocketAddrV4,
    _directory: TempDir,
}

impl Plain {
    /// Serves these files.
    pub(super) fn start(files: &[(&str, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path();
        // For the workers too.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place, open).expect("it is ours");
        let write = |name: &str, text: &str| {
            std::fs::write(place.join(name), text).expect("a file can be written");
        };
        std::fs::create_dir(place.join("www")).expect("a directory can be made");
        for (name, text) in files {
            write(&format!("www/{name}"), text);
        }
        let [a, b, c]: [u8; 3] = rand::random();
        let ip = Ipv4Addr::new(127, a.max(128), b, c.clamp(1, 254));
        let (address, backend) = (SocketAddrV4::new(ip, 8080), SocketAddrV4::new(ip, 9000));
        let is_root = rustix::process::geteuid().is_root();
        write("nginx.conf", &nginx(place, address, backend, is_root));
        write("fpm.conf", &fpm(place, backend, is_root));
        let config = |name: &str| place.join(name).display().to_string();
        let fpm = start("/usr/sbin/php-fpm8.2", &["-F", "-y", &config("fpm.conf")]);
        let nginx = start("/usr/sbin/nginx", &["-c", &config("nginx.conf")]);
        let plain = Self { processes: [nginx, fpm], address, _directory: directory };
        for address in [address, backend] {
            wait_for("nginx and php-fpm", Duration::from_secs(20), || TcpStream::connect(address));
        }
        plain
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Their workers end with them only when they are asked.
            let _ = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }
}

fn start(program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn nginx(place: &Path, listen: SocketAddrV4, backend: SocketAddrV4, is_root: bool) -> String {
    let (place, user) = (place.display(), if is_root { "user www-data;" } else { "" });
    format!(
        r#"{user}
daemon off;
worker_processes auto;
worker_rlimit_nofile 16384;
pid "{place}/nginx.pid";
error_log "{place}/error.log";
events {{ worker_connections 4096; }}
http {{
  include /etc/nginx/mime.types;
  access_log "{place}/access.log" combined buffer=16k flush=1s;
  client_body_temp_path "{place}/body";
  fastcgi_temp_path "{place}/fastcgi";
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
  server {{
    listen {listen};
    root "{place}/www";
    location ~ \.php$ {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_buffers 16 16k;
      fastcgi_buffer_size 32k;
      fastcgi_pass {backend};
    }}
  }}
}}
"#
    )
}

fn fpm(place: &Path, listen: SocketAddrV4, is_root: bool) -> String {
    let (place, user) = (place.display(), if is_root { "user = www-data\n" } else { "" });
    format!(
        "[global]\nerror_log = \"{place}/fpm.log\"\ndaemonize = no\n[www]\n{user}\
         listen = {listen}\nlisten.backlog = 1024\npm = dynamic\npm.max_children = 16\n\
         pm.start_servers = 3\npm.min_spare_servers = 2\npm.max_spare_servers = 6\n"
    )
}
