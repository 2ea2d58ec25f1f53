/** Before each unit test file: its tests share the threads of their stores, and no rows. */
import { keepTestStores } from "../../server/core/testing/open-test-store.ts";

keepTestStores();
