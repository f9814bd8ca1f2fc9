//! A lab on the command line, for developers who want hosts before or beside the `waypost lab` command:
//! `labctl up DIR [HOSTS] | down DIR | status DIR | run DIR HOST COMMAND... | guest DIR HOST NAME [linux] | check DIR NAME`.

use std::{path::Path, process::ExitCode, time::Instant};

use waypost_lab::{GuestSpec, Lab, LabError, LabSpec, Owner};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("labctl: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                eprintln!("  because: {next}");
                cause = next.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitCode, LabError> {
    let started = Instant::now();
    match *arguments {
        ["up", dir] => up(dir, "2")?,
        ["up", dir, hosts] => up(dir, hosts)?,
        ["down", dir] => Lab::down_at(Path::new(dir))?,
        ["status", dir] => status(&attach(dir)?),
        ["run", dir, host, ref command @ ..] if !command.is_empty() => {
            let status = attach(dir)?.host(host)?.command(command[0])?.args(&command[1..]).status();
            let code = status.map_err(|source| LabError::Io { attempt: format!("run {}", command[0]), source })?.code();
            return Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
        }
        ["guest", dir, host, name] => {
            attach(dir)?.start_guest(&GuestSpec { host: host.to_owned(), ..GuestSpec::tick(name) })?;
        }
        ["guest", dir, host, name, "linux"] => {
            attach(dir)?.start_guest(&GuestSpec { host: host.to_owned(), ..GuestSpec::linux(name) })?;
        }
        ["check", dir, name] => println!("{:?}", attach(dir)?.check_counter(name)?),
        _ => {
            eprintln!("labctl up DIR [HOSTS] | down DIR | status DIR | run DIR HOST COMMAND...");
            eprintln!("       guest DIR HOST NAME [linux] | check DIR NAME");
            return Ok(ExitCode::from(2));
        }
    }
    eprintln!("done in {:.2} s", started.elapsed().as_secs_f32());
    Ok(ExitCode::SUCCESS)
}

fn up(dir: &str, hosts: &str) -> Result<(), LabError> {
    let hosts = hosts.parse().map_err(|_| LabError::Spec(format!("{hosts} is not a number of hosts")))?;
    status(&Lab::up(&LabSpec { owner: Owner::Detached, ..LabSpec::new(hosts, dir) })?);
    Ok(())
}

fn attach(dir: &str) -> Result<Lab, LabError> {
    Lab::attach(Path::new(dir))?.ok_or_else(|| LabError::NoLab(dir.into()))
}

fn status(lab: &Lab) {
    for host in lab.status().hosts {
        let domains = match &host.domains {
            Ok(domains) if domains.is_empty() => "no domains".to_owned(),
            Ok(domains) => domains.join(", "),
            Err(_) if !host.powered => "powered off".to_owned(),
            Err(error) => error.clone(),
        };
        println!("{}  {}  {}  {domains}", host.name, host.uri, host.peer_uri);
    }
}
