"""What survives a restart. `base` says what a store can do, `sqlite` is the real one, `memory` its twin for tests."""
