"""What the tool does not know by itself: a component travels as the bytes that it is."""

import schemathesis

schemathesis.serializer.alias("application/wasm", "text/plain")
