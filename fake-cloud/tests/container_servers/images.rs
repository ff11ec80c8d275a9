//! What root file systems containers boot from.

use fake_cloud::backends::{Backend as _, ImageSource, ServerSpec};

use crate::built_image;
use crate::fixture::with_engine;

#[test]
fn a_container_boots_a_built_image() {
    // Before the engine takes this thread away from the network.
    let path = built_image::root();
    with_engine(async |fixture| {
        let script = "cat /etc/built /etc/made; . /etc/os-release; echo this is $ID";
        let image = ImageSource::Directory { path };
        let server = ServerSpec { image, ..fixture.server(2, script) };
        fixture.backend.start(&server).await.unwrap();
        let console = fixture.shows(server.id, "user-data finished").await;
        let expected = "from Debian's packages\nmade by a command\nthis is debian\n";
        assert!(console.contains(expected), "{console}");
        fixture.backend.delete(server.id).await.unwrap();
    });
}
