//! The plugins that come with the broker, as their users meet them: each setting of their READMEs.

mod topic_taboo;
