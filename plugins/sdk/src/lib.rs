//! What a policy author needs: bindings, the macro that exports a check, a panic hook, facts for native tests.
