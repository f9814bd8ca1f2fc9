//! The closed word sets of requests. Each is the core's set of the same name: the compiler sees that no word is missing on
//! either side, a test that they are spelt the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

// `tt` and not `literal`: a literal would come to the derives in a group that not all of them look into.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident, default $default:ident, core $core:ident in $($module:ident)::+ {
        $($(#[$variant_doc:meta])* $variant:ident = $text:tt,)+
    })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl From<$name> for waypost_core::$($module)::+::$core {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)+ }
            }
        }

        impl From<waypost_core::$($module)::+::$core> for $name {
            fn from(word: waypost_core::$($module)::+::$core) -> Self {
                use waypost_core::$($module)::+::$core as Core;
                match word { $(Core::$variant => Self::$variant,)+ }
            }
        }
    )+

        #[cfg(test)]
        fn spelt() -> Vec<(String, &'static str)> {
            let mut all = Vec::new();
            $(for word in waypost_core::$($module)::+::$core::ALL {
                let ours = serde_json::to_value($name::from(*word)).unwrap();
                all.push((ours.as_str().unwrap().to_owned(), word.as_str()));
            })+
            all
        }
    };
}

words! {
    /// Live or offline.
    Mode, default Auto, core Mode in request {
        /// As its state allows.
        Auto = "auto",
        /// It keeps its memory.
        Live = "live",
        /// Only its definition travels.
        Offline = "offline",
        /// Saved to a file and started from it elsewhere: always refused, with what to do instead.
        Hibernation = "hibernation",
    }
    /// Whether it is defined on the destination.
    Persistence, default AsSource, core Persistence in request {
        /// As on the source.
        AsSource = "as-source",
        /// Defined.
        Persistent = "persistent",
        /// Only running.
        Transient = "transient",
    }
    /// What becomes of the definition on the source.
    SourceDefinition, default Undefine, core SourceDefinition in request {
        /// It goes.
        Undefine = "undefine",
        /// It stays, without autostart.
        Keep = "keep",
    }
    /// How it runs after the move.
    AfterMove, default AsBefore, core AfterMove in request {
        /// As before.
        AsBefore = "as-before",
        /// Left paused.
        Paused = "paused",
    }
    /// Whether libvirt's own storage check may be skipped.
    StorageSafety, default Checked, core StorageSafety in request {
        /// It is made.
        Checked = "checked",
        /// It is skipped: wrong caching or storage that is not shared will corrupt the disk.
        Unsafe = "unsafe",
    }
    /// How urgent a migration is beside others that wait.
    Priority, default Normal, core Priority in queue {
        /// After the others.
        Low = "low",
        /// As most are.
        Normal = "normal",
        /// Before the others.
        High = "high",
    }
    /// Who drives the migration, and which way the memory takes.
    Transport, default PeerToPeer, core Transport in stream {
        /// The source's daemon; it goes on without the controller.
        PeerToPeer = "peer-to-peer",
        /// The controller; it ends with the controller.
        Direct = "direct",
        /// The source's daemon, through the daemons' own connection.
        Tunnelled = "tunnelled",
    }
    /// A way to make the stream smaller.
    Compression, default Mt, core Compression in stream {
        /// Multi-threaded zlib of the older kind.
        Mt = "mt",
        /// Only what changed within a page.
        Xbzrle = "xbzrle",
        /// On parallel connections (libvirt 9.4).
        Zlib = "zlib",
        /// On parallel connections (libvirt 9.4).
        Zstd = "zstd",
    }
    /// Whether the stream is encrypted.
    Encryption, default Auto, core Encryption in stream {
        /// Where the configuration says that both hosts can.
        Auto = "auto",
        /// Encrypted, or refused.
        Required = "required",
        /// Plain.
        Off = "off",
    }
    /// What becomes of disks that the destination does not share.
    DiskCopy, default No, core DiskCopy in stream {
        /// Nothing: all disks are shared.
        No = "none",
        /// Copied whole.
        Full = "full",
        /// Copied as far as they differ from a base that is there already.
        Incremental = "incremental",
    }
    /// What may be done about a task whose migration failed.
    Action, default Wait, core Action in situation {
        /// Look again later.
        Wait = "wait",
        /// Ask libvirt to abort the job.
        AbortJob = "abort-job",
        /// Let the source's copy run again.
        ResumeSource = "resume-source",
        /// Let the destination's copy run.
        ResumeDestination = "resume-destination",
        /// End the destination's copy, which never ran.
        DestroyDestination = "destroy-destination",
        /// Remove the definition that this migration left on the destination.
        UndefineDestination = "undefine-destination",
        /// End the source's paused copy, which the running destination has overtaken.
        DestroySource = "destroy-source",
        /// Join the two halves of an interrupted post-copy again.
        ResumePostCopy = "resume-post-copy",
        /// Interrupt a post-copy on the source, which has not noticed that nothing comes through.
        InterruptPostCopy = "interrupt-post-copy",
        /// Undo what this attempt made ready, and begin another one.
        TryAgain = "try-again",
        /// Finish the task: the domain is on the source.
        AcceptSource = "accept-source",
        /// Finish the task: the domain is on the destination.
        AcceptDestination = "accept-destination",
        /// Finish the task as stuck, for a person.
        HandOver = "hand-over",
        /// Finish the task as lost: no copy runs and none can be continued.
        DeclareLost = "declare-lost",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_word_is_spelt_as_in_the_records() {
        let spelt = super::spelt();
        assert!(spelt.len() > 30);
        for (ours, core) in spelt {
            assert_eq!(ours, core);
        }
    }
}
