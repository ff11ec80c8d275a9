//! The SSH server: public keys only, git's two commands only, one connection a task.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
    run_stream,
};
use russh::{Channel, ChannelId, Disconnect, MethodKind, MethodSet};
use services::ServiceError;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Git;
use super::command::{Command, is_protocol};
use super::push::{Conversation, register};

/// The user that everybody logs in as.
const USER: &str = "git";
/// How long a client may take to show its key.
const GRACE: Duration = Duration::from_secs(30);
/// The most connections at once.
const MOST_CONNECTIONS: usize = 32;
/// The most commands of one connection.
const MOST_CHANNELS: usize = 4;
/// How often a silent client is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// What git itself ends with when it cannot go on.
const FAILURE: u32 = 128;
/// Standard error of a command, in SSH's terms.
const ERRORS: u32 = 1;

/// Serves for as long as the process lives.
pub(super) async fn serve(listener: TcpListener, host_key: PrivateKey, git: Arc<Git>) {
    let config = Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::from_millis(300),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key],
        inactivity_timeout: None,
        keepalive_interval: Some(HEARTBEAT),
        nodelay: true,
        ..Config::default()
    });
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let permit = Arc::clone(&free).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "an SSH connection was not accepted");
                // Most likely too many files are open: they are closed as connections end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (config, git) = (Arc::clone(&config), Arc::clone(&git));
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection(config, stream, git).await {
                tracing::debug!(%error, "an SSH connection ended");
            }
        });
    }
}

async fn connection(
    config: Arc<Config>,
    stream: TcpStream,
    git: Arc<Git>,
) -> Result<(), russh::Error> {
    let authenticated = Arc::new(AtomicBool::new(false));
    let client = Client {
        git,
        authenticated: Arc::clone(&authenticated),
        protocol: None,
        channels: HashMap::new(),
    };
    let mut session = match tokio::time::timeout(GRACE, run_stream(config, stream, client)).await {
        Ok(session) => session?,
        Err(_) => return Ok(()),
    };
    match tokio::time::timeout(GRACE, &mut session).await {
        Ok(ended) => return ended,
        Err(_) if !authenticated.load(Ordering::Relaxed) => {
            let late = "no key was shown in time".to_owned();
            session.handle().disconnect(Disconnect::ByApplication, late, String::new()).await?;
        }
        Err(_) => {}
    }
    session.await
}

/// One connection.
struct Client {
    git: Arc<Git>,
    authenticated: Arc<AtomicBool>,
    /// The version of git's protocol that the client asked for.
    protocol: Option<String>,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Client {
    fn check(&self, user: &str, key: &russh::keys::PublicKey) -> Auth {
        match user == USER && self.git.keys.is_authorized(key) {
            true => Auth::Accept,
            false => Auth::reject(),
        }
    }

    /// What is not git is refused in words, as ssh shows them.
    fn refuse(
        &mut self,
        id: ChannelId,
        message: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.remove(&id);
        session.channel_success(id)?;
        session.extended_data(id, ERRORS, format!("{message}\n").into_bytes())?;
        session.exit_status_request(id, FAILURE)?;
        session.eof(id)?;
        session.close(id)
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.check(user, offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.check(user, key.public_key))
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        self.authenticated.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        // Dropped, the reply is a no. That is all that other kinds of channel ever get.
        if self.channels.len() < MOST_CHANNELS {
            self.channels.insert(channel.id(), channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "GIT_PROTOCOL" && is_protocol(value) {
            self.protocol = Some(value.to_owned());
            return session.channel_success(id);
        }
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse(id, "this key is for git alone: there is no shell", session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        session.channel_failure(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(refusal) => return self.refuse(id, &refusal, session),
        };
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let (git, protocol) = (Arc::clone(&self.git), self.protocol.clone());
        tokio::spawn(async move {
            if let Err(error) = run(&git, command, protocol, channel).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a git command failed");
            }
        });
        Ok(())
    }
}

/// Runs git for a client, from its first byte to its exit status.
async fn run(
    git: &Git,
    command: Command,
    protocol: Option<String>,
    channel: Channel<Msg>,
) -> Result<(), ServiceError> {
    let broken = || ServiceError::file(&git.directory);
    let mut conversation = match command {
        Command::ReceivePack => Some(Conversation::new(&git.repository)?),
        Command::UploadPack => None,
    };
    let mut process = git.repository.git();
    process.args([command.as_str(), "."]);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(version) = protocol {
        process.env("GIT_PROTOCOL", version);
    }
    if let Some(conversation) = &conversation {
        process.env("NUTSHELL_PUSH", conversation.place());
    }
    let mut child = process.spawn().map_err(broken())?;
    let (mut read, write) = channel.split();
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = pipes else { return Ok(()) };

    let input = async {
        // It ends when git does, or when the client has no more to say, or is gone.
        let _ = tokio::io::copy(&mut read.make_reader(), &mut stdin).await;
        drop(stdin);
        std::future::pending::<()>().await;
    };
    let answer = async {
        match &mut conversation {
            Some(conversation) => conversation.answer(git).await,
            None => std::future::pending().await,
        }
    };
    let work = async {
        let (mut out, mut errors) = (write.make_writer(), write.make_writer_ext(Some(ERRORS)));
        let copied = tokio::join!(
            tokio::io::copy(&mut stdout, &mut out),
            tokio::io::copy(&mut stderr, &mut errors),
        );
        // A client that is gone needs no git.
        if copied.0.is_err() {
            let _ = child.start_kill();
        }
        child.wait().await
    };
    tokio::pin!(work);
    let (status, pushed) = tokio::select! {
        () = input => unreachable!("it waits for the others"),
        done = async {
            tokio::select! {
                status = &mut work => (status, Ok(Vec::new())),
                pushed = answer => (work.await, pushed),
            }
        } => done,
    };
    let status = status.map_err(broken())?;
    let mut code = status.code().map_or(FAILURE, i32::unsigned_abs);
    if status.success() {
        let told = match pushed {
            Ok(pushed) if pushed.is_empty() => Ok(String::new()),
            Ok(pushed) => register(git, pushed).await,
            Err(error) => Err(error),
        };
        let told = told.unwrap_or_else(|error| {
            code = FAILURE;
            format!("what was pushed is no code version: {}\n", protocol::ApiError::from(error))
        });
        let mut errors = write.make_writer_ext(Some(ERRORS));
        let _ = errors.write_all(told.as_bytes()).await;
    }
    // Who does not hear any of it is gone.
    let _ = write.exit_status(code).await;
    let _ = write.eof().await;
    let _ = write.close().await;
    Ok(())
}
