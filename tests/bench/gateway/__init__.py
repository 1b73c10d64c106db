"""The studio's `/v1` beside other gateways: same upstream, same load, same core, in turn."""
