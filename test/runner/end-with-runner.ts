/** Before each end-to-end test file: a worker whose runner was killed would go on with its guests, heard by nobody. */
process.once("disconnect", () => process.exit(1));
