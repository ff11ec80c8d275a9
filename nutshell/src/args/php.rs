//! `cps php`: the grammar.

use clap::Subcommand;

use super::{ApplicationRef, CodeCommand, CommonCommand, NewService, ServiceArgument};

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum PhpCommand {
    /// Create a PHP service, and a manager where there is none
    Create(NewService),
    /// Add a PHP service to an application
    Add {
        /// The application's id or name
        application: ApplicationRef,
    },
    #[command(flatten)]
    Common(CommonCommand),
    #[command(flatten)]
    Code(CodeCommand),
    /// Print the settings of PHP, the code version at work, and the address of the application
    #[command(visible_alias = "get-configuration")]
    GetPhpConfig(ServiceArgument),
    /// Change settings of PHP: `cps php set-php-config 1 memory_limit=256M`
    SetPhpConfig {
        #[command(flatten)]
        service: ServiceArgument,
        /// The settings, as `get-php-config` lists them
        #[arg(value_name = "NAME=VALUE", required = true, value_parser = setting)]
        settings: Vec<(String, String)>,
    },
    /// Show errors of PHP to visitors, or no longer
    ToggleDebug(ServiceArgument),
    /// Show errors of PHP to visitors: `on` or `off`
    Debug {
        #[command(flatten)]
        service: ServiceArgument,
        /// Whether to
        #[arg(value_parser = ["on", "off"])]
        mode: String,
    },
    /// Print what each node does, and how its programs fare
    GetDaemonStatus(ServiceArgument),
}

const EXAMPLES: &str = "\
Examples:
  cps php create                        a PHP service in your first application
  cps php start 1                       its first VM: proxy, web server and backend in one
  cps php get-php-config 1              where to find it
  cps php upload-code 1 app.tar.gz      an archive with index.php at its top
  cps php enable-code 1 code-pw1LKs     visitors see it from now on
  cps php add-nodes 1 2 1 0             two backends and one web node (backend, web, proxy)
  cps php remove-nodes 1 1 0 0          one backend less
  cps php toggle-debug 1                show errors of PHP to visitors";

/// `memory_limit=256M`
fn setting(word: &str) -> Result<(String, String), &'static str> {
    let (name, value) = word.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_name_and_whatever_follows() {
        assert!(setting("memory_limit").is_err());
        assert_eq!(setting("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
    }
}
