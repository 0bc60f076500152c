//! The client in front: frames, TLS and login, errors as the client reads them.
