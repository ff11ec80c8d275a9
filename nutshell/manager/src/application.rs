//! The services of the application: which there are, and how they come and go.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::api::State;
use protocol::api::internal::{ServiceAdd, ServiceReport};
use protocol::{ApiError, ServiceId};
use services::ServiceError;
use services::code::{Contents, archive};

use crate::git::Pushed;
use crate::record::Record;
use crate::service::{Service, World};

/// See the module.
pub(crate) struct Application {
    world: Arc<World>,
    services: Mutex<BTreeMap<ServiceId, Arc<Service>>>,
    /// Services are added one at a time.
    adding: tokio::sync::Mutex<()>,
}

impl Application {
    /// The services that an earlier manager left on disk.
    pub(crate) async fn open(world: World) -> Result<Arc<Self>, ServiceError> {
        let world = Arc::new(world);
        let records = world.records();
        let journals = world.cache.join("autoscaling");
        for directory in [&records, &journals] {
            std::fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
        }
        let mut services = BTreeMap::new();
        for file in std::fs::read_dir(&records).map_err(ServiceError::file(&records))?.flatten() {
            let name = file.file_name();
            // Anything else is what an interrupted write left.
            let Some(Ok(id)) =
                name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::parse)
            else {
                continue;
            };
            let record = Record::read(&file.path())?;
            services.insert(id, Service::open(Arc::clone(&world), id, record).await?);
        }
        let services = Mutex::new(services);
        Ok(Arc::new(Self { world, services, adding: tokio::sync::Mutex::default() }))
    }

    /// Agrees with the director on the services, says that the manager is ready, and takes up what
    /// was left undone.
    pub(crate) async fn join(&self) {
        match self.world.director.services_wanted().await {
            Ok(wanted) => self.adjust(wanted.services).await,
            Err(refusal) => tracing::error!(%refusal, "the director names no services"),
        }
        self.world.director.ready().await;
        let services = self.all();
        futures::future::join_all(services.into_iter().map(Service::recover)).await;
    }

    async fn adjust(&self, wanted: Vec<ServiceAdd>) {
        for service in self.all() {
            if !wanted.iter().any(|wanted| wanted.service == service.id)
                && let Err(error) = self.remove(service.id).await
            {
                tracing::error!(service = %service.id, %error, "failed to remove a service");
            }
        }
        for add in wanted {
            if let Err(error) = self.add(&add).await {
                tracing::error!(service = %add.service, %error, "failed to add a service");
            }
        }
    }

    /// Looks after a service from now on; again changes nothing.
    pub(crate) async fn add(&self, add: &ServiceAdd) -> Result<ServiceReport, ApiError> {
        let _adding = self.adding.lock().await;
        let known = self.locked().get(&add.service).cloned();
        let service = match known {
            Some(service) => service,
            None => {
                let record = Record::new(&add.service_type);
                let service = Service::open(Arc::clone(&self.world), add.service, record).await?;
                service.log(&format!("{}: created", State::Init));
                self.locked().insert(add.service, Arc::clone(&service));
                // What was pushed before is its code too.
                if let Err(error) = self.world.git.catch_up().await {
                    tracing::error!(%error, "a new service lacks what was pushed");
                }
                service
            }
        };
        Ok(service.record().report())
    }

    /// Removes a service with all that belongs to it; one that is not there is removed already.
    pub(crate) async fn remove(&self, id: ServiceId) -> Result<(), ApiError> {
        let Ok(service) = self.service(id) else { return Ok(()) };
        service.remove().await?;
        self.locked().remove(&id);
        self.world.backup.touch();
        Ok(())
    }

    /// Whether what is pushed can be code of all services that have code.
    pub(crate) async fn check_pushed(&self, pushed: &Pushed) -> Result<(), ApiError> {
        let path = pushed.archive.clone();
        let check = move || archive::check(&path, archive::Limits::default());
        let contents = tokio::task::spawn_blocking(check)
            .await
            .expect("looking through an archive does not panic")
            .map_err(|error| error.refusal(&pushed.name))?;
        let mut checks =
            self.all().into_iter().filter_map(|one| one.half.check_code(&pushed.name, &contents));
        checks.try_for_each(|check| check)
    }

    /// Adds what was pushed to the code versions of all services that have code.
    pub(crate) async fn add_pushed(&self, pushed: &Pushed) -> Result<(), ServiceError> {
        let Pushed { version, name, subject, archive, .. } = pushed;
        for service in self.all() {
            let has_code = service.half.check_code(name, &Contents::default()).is_some();
            if has_code {
                service.code.add_pushed(version, name, subject, archive).await?;
                service.log(&format!("code version {version} was pushed"));
            }
        }
        self.world.backup.touch();
        Ok(())
    }

    /// Waits until the director keeps a copy of all that was changed so far.
    ///
    /// # Errors
    /// When it refuses to.
    pub(crate) async fn kept(&self) -> Result<(), ApiError> {
        self.world.backup.touch();
        self.world.backup.kept().await
    }

    /// The service with this id.
    pub(crate) fn service(&self, id: ServiceId) -> Result<Arc<Service>, ApiError> {
        let found = self.locked().get(&id).cloned();
        found.ok_or_else(|| ApiError::not_found(format!("there is no service {id}")))
    }

    fn all(&self) -> Vec<Arc<Service>> {
        self.locked().values().cloned().collect()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<ServiceId, Arc<Service>>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
