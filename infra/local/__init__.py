from infra.local.foundation import foundation

__all__ = ["foundation"]
