//! The server's settings as flags, made from the table in the server crate.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use hostel_server::config::{Config, Kind, SETTINGS, Setting, Sources};

use crate::failure::Usage;
use crate::output;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    flags: Vec<(String, Vec<String>)>,
    file: Option<PathBuf>,
}

impl Settings {
    /// Without flags.
    pub(crate) fn from_file(file: Option<PathBuf>) -> Self {
        Self { flags: Vec::new(), file }
    }

    /// Puts the layers together and prints warnings.
    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        let env = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        let sources = Sources {
            flags: self.flags.clone(),
            env: env.collect(),
            file: self.file.clone().or_else(|| std::env::var_os("HOSTEL_CONFIG").map(PathBuf::from)),
        };
        let (config, warnings) = Config::load(&sources).map_err(|error| Usage(error.to_string()))?;
        for warning in warnings {
            output::note(&warning).context("the warning cannot be written")?;
        }
        Ok(config)
    }
}

fn text(value: OsString) -> Option<String> {
    value.into_string().ok()
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Configuration file [default: hostel.toml, if it exists] [env: HOSTEL_CONFIG]");
        let mut command = command.args(SETTINGS.iter().map(argument)).arg(config);
        for (name, other) in [("development", "production"), ("production", "development")] {
            let short = Arg::new(name)
                .long(name)
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["mode", other])
                .help(format!("Short for --mode {name}"));
            command = command.arg(short);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        text => format!(" [default: {text}]"),
    };
    let arg = Arg::new(setting.name).long(setting.flag).value_name(setting.placeholder).help(format!(
        "{}{default} [env: {}]",
        setting.doc,
        setting.env()
    ));
    match setting.kind {
        Kind::Single => arg.action(ArgAction::Set),
        Kind::List => arg.action(ArgAction::Append),
        Kind::Switch => {
            let arg = arg.action(ArgAction::Set).num_args(0..=1).require_equals(true);
            arg.default_missing_value("true")
        }
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            if matches.value_source(setting.name) == Some(ValueSource::CommandLine) {
                let values = matches.get_many::<String>(setting.name).into_iter().flatten();
                self.flags.push((setting.name.to_owned(), values.cloned().collect()));
            }
        }
        for mode in ["development", "production"] {
            if matches.get_flag(mode) {
                self.flags.push(("mode".to_owned(), vec![mode.to_owned()]));
            }
        }
        self.file = matches.get_one::<PathBuf>("config").cloned();
        Ok(())
    }
}
