"""`acp:COMMAND`: any agent that speaks the Agent Client Protocol, in its sandbox.

The protocol (https://agentclientprotocol.com, version 1) is JSON-RPC over stdin and stdout, an object a line.
"""
