//! The plugins that come with the broker, as their users meet them: each setting of their READMEs.

mod broker_sys;
mod topic_taboo;
