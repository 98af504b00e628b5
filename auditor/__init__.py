"""entra-auditor: what an enterprise app may do in a Microsoft Entra ID tenant, and what to do about it."""

__version__ = "0.1.0"
