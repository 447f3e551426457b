"""The gateway between programs in a sandbox and a model's provider: keys, limits, prices, records, dialects."""

from cooperbench.gateway.configured import check_gateway, open_gateway, preload
from cooperbench.gateway.gateway import GatewayModels, ModelGateway
from cooperbench.gateway.recording import RecordedCall, read_recording
from cooperbench.gateway.streams import SocketStream, loopback_listener

__all__ = [
    "GatewayModels",
    "ModelGateway",
    "RecordedCall",
    "SocketStream",
    "check_gateway",
    "loopback_listener",
    "open_gateway",
    "preload",
    "read_recording",
]
