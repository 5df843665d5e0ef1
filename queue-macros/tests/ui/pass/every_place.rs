//! M4: jobs of every visibility, in modules and in functions; one `use` imports both.

use queue_core::background_job;

pub mod jobs {
    use queue_core::background_job;

    #[background_job]
    pub async fn public(order: u64) {
        let _ = order;
    }

    #[background_job]
    pub(crate) async fn of_the_crate(order: u64) {
        let _ = order;
    }

    pub mod deeper {
        use queue_core::background_job;

        #[background_job]
        pub(super) async fn of_the_parent(order: u64) {
            let _ = order;
        }
    }

    pub fn make() -> deeper::of_the_parent {
        deeper::of_the_parent::new(1)
    }
}

fn main() {
    use jobs::{of_the_crate, public};

    #[background_job]
    async fn local() {}

    drop((public(1), of_the_crate(1), local()));
    let _ = (public { order: 1 }, of_the_crate::new(1), local {});
    let _ = queue_core::jobs![public, jobs::of_the_crate, local];
}
