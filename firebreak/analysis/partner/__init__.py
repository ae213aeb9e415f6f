"""How well the partner's own tenant is protected: documents of Graph and Partner Center in, checks out. Pure."""
