"""SPDY/3.1 as ``kubectl`` speaks it in exec, attach and port-forward: framing and streams without IO."""
