//! A cloud in a few words: for tests, and for programs that want one beside them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::Clock;
use crate::control::Transitions;
use crate::fake_cloud::{FakeCloud, StartError};
use crate::scratch::{ScratchBlock, ScratchDirectory};
use crate::settings::{BackendKind, FlavorSettings, ImageSettings, Listen, Settings, UserSettings};

/// Makes [`Settings`] and starts a cloud with them; see [`FakeCloud::builder`].
///
/// What is not chosen is private and passes with the cloud: a state directory among the temporary
/// ones, and a block `127.N` of loopback addresses that no other cloud of this machine has.
#[derive(Default)]
#[must_use]
pub struct Builder {
    state_dir: Option<PathBuf>,
    listen: Option<Listen>,
    password: Option<String>,
    adjustments: Vec<Adjustment>,
    regions: Vec<(String, Adjustment)>,
}

type Adjustment = Box<dyn FnOnce(&mut Settings) + Send>;

/// What a cloud borrows for as long as it is there.
#[derive(Debug, Default)]
pub(crate) struct Borrowed {
    _directory: Option<ScratchDirectory>,
    blocks: Vec<ScratchBlock>,
}

impl Borrowed {
    /// An address with a block of its own.
    fn address(&mut self) -> Result<Listen, StartError> {
        let block = ScratchBlock::new().map_err(StartError::Scratch)?;
        let address = SocketAddr::from((block.api_address(), 0));
        self.blocks.push(block);
        Ok(Listen::Address(address))
    }

    /// Whether an address is one of these.
    fn has(&self, listen: &Listen) -> bool {
        self.blocks.iter().any(|block| listen.ip() == Some(block.api_address()))
    }
}

impl Builder {
    /// Keeps the state in this directory, made when missing; it stays.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Listens at this address; servers get addresses that begin with the same two numbers.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(Listen::Address(address));
        self
    }

    /// The password of the user `admin`, `secret` when not given.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// What servers are made of: nothing ([`BackendKind::Inert`]) when not given.
    pub fn backend(self, kind: BackendKind) -> Self {
        self.settings(move |settings| settings.backend = kind)
    }

    /// The executable that becomes a server's first process: see [`Settings::init_program`].
    pub fn init_program(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.settings(move |settings| settings.init_program = path)
    }

    /// One more user, who may use a project.
    pub fn user(self, name: &str, password: &str, project: &str) -> Self {
        let user = UserSettings::member(name, password, project);
        self.settings(move |settings| settings.users.push(user))
    }

    /// One more flavor.
    pub fn flavor(self, flavor: FlavorSettings) -> Self {
        self.settings(move |settings| settings.flavors.push(flavor))
    }

    /// One more image.
    pub fn image(self, image: ImageSettings) -> Self {
        self.settings(move |settings| settings.images.push(image))
    }

    /// What time it is: [`crate::clock::ManualClock`] makes that the test's business.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.settings(move |settings| settings.clock = clock)
    }

    /// How long the work after a call takes, such as that from BUILD to ACTIVE: no time when not
    /// given.
    pub fn transitions(self, transitions: Transitions) -> Self {
        self.settings(move |settings| settings.transitions = transitions)
    }

    /// Where the dice of faults begin: the same seed throws the same.
    pub fn seed(self, seed: u64) -> Self {
        self.settings(move |settings| settings.seed = seed)
    }

    /// One more region, as the others but for what is changed of it: its flavors and prices, its
    /// latency. Users, projects and tokens are good in all regions.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let cloud = fake_cloud::FakeCloud::builder()
    ///     .region("west", |west| {
    ///         west.latency = Duration::from_millis(80);
    ///         west.flavors.iter_mut().for_each(|flavor| flavor.price_per_hour *= 1.2);
    ///     })
    ///     .start()
    ///     .await?;
    /// let west = cloud.region("west").expect("it is one of its regions");
    /// assert_ne!(west.api_url(), cloud.api_url());
    /// # Ok(())
    /// # }
    /// ```
    pub fn region(
        mut self,
        name: &str,
        adjust: impl FnOnce(&mut Settings) + Send + 'static,
    ) -> Self {
        self.regions.push((name.to_owned(), Box::new(adjust)));
        self
    }

    /// Changes whatever else there is in the settings.
    pub fn settings(mut self, adjust: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        self.adjustments.push(Box::new(adjust));
        self
    }

    /// Starts the cloud: its API answers when this returns.
    ///
    /// # Errors
    /// As [`FakeCloud::start`], and when no temporary directory can be made.
    pub async fn start(self) -> Result<FakeCloud, StartError> {
        let mut borrowed = Borrowed::default();
        let state_dir = match self.state_dir {
            Some(path) => path,
            None => {
                let directory = ScratchDirectory::new().map_err(StartError::Scratch)?;
                let path = directory.path().to_owned();
                borrowed._directory = Some(directory);
                path
            }
        };
        let listen = match self.listen {
            Some(listen) => listen,
            None => borrowed.address()?,
        };
        let password = self.password.as_deref().unwrap_or("secret");
        let mut settings = Settings::loopback(state_dir, listen, password);
        for adjust in self.adjustments {
            adjust(&mut settings);
        }
        for (name, adjust) in self.regions {
            let listen = match borrowed.has(&settings.listen) {
                true => Some(borrowed.address()?),
                false => None,
            };
            let mut region = settings.region_beside(&name, listen);
            adjust(&mut region);
            settings.regions.push(region);
        }
        FakeCloud::start_in(settings, borrowed).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}
