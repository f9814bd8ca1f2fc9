//! The command as a user runs it, against simulated hosts: every command, every exit status by a course that really
//! comes to it, what people read, what programs read.

mod cli {
    pub mod support;

    mod checks;
    mod choices;
    mod fleet;
    mod followed;
    mod interrupted;
    mod lab;
    mod logs;
    mod manual;
    mod migrations;
    mod plugins;
    mod remote;
    mod state;
    mod usage;
}
