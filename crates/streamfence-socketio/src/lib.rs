//! StreamFence under Socket.IO: the socketioxide adapter and the server that streamfence serve runs
