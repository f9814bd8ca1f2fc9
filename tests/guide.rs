//! The guides, done as they say: every block that a reader would run, write or expect to see is run, written or expected
//! here, in order, in an empty folder outside of this repository. What was read by a person last year still works.

mod guide {
    pub mod folder;
    pub mod output;
    pub mod page;

    mod convergence;
    mod kimchi;
    mod links;
    mod operator;
    mod policy;
    mod recovery;
    mod service;
}
