//! `priorityd healthcheck`: asks a running daemon whether it is ready, for containers without a shell.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clap::Args;

use super::deployment::ConfigArgs;
use super::failure::{Failure, Kind};
use crate::config::settings::Settings;

#[derive(Debug, Args)]
#[command(after_help = "Exit 0 when it is, 69 when it is not or nobody answers.")]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ask whether it is alive, ready or not: for whoever starts it again
    #[arg(long)]
    alive: bool,
}

/// Asks `/readyz`, or `/livez`.
pub(super) fn run(args: &HealthcheckArgs) -> Result<(), Failure> {
    let settings = Settings::load(&args.config.config)?;
    let Some(listen) = settings.listen else {
        let line = format!("{}: listen: it is missing; set it, e.g. to 127.0.0.1:9464", args.config.config.display());
        return Err(Failure::new(Kind::Configuration, line));
    };
    let ask = || -> std::io::Result<String> {
        let wait = Duration::from_secs(3);
        let mut stream = TcpStream::connect_timeout(&listen, wait)?;
        stream.set_read_timeout(Some(wait))?;
        let path = if args.alive { "/livez" } else { "/readyz" };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(answer) => {
            let why = answer.rsplit("\r\n\r\n").next().unwrap_or_default();
            let what = if args.alive { "alive" } else { "ready" };
            let line =
                format!("{listen}: not {what}, {why}; it will be by itself, or its log says what is to be mended");
            Err(Failure::new(Kind::Unreachable, line))
        }
        Err(error) => {
            let line = format!("{listen}: no daemon answers ({}); start it, or see its log", error.kind());
            Err(Failure::new(Kind::Unreachable, line))
        }
    }
}
