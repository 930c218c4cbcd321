// Package keras holds this toolkit against Keras: its exported networks against
// ours, layer by layer, and the trainer's steps against recorded ones.
//
// An export is read as the layers that Keras had ([Check]): constants are
// computed, the batch's size is followed as a symbol through the arithmetic on
// shapes, and of each value it is known which axis is height, width and channel.
// So a pad on the wrong side or another order of flattening is seen in the graph
// itself; that the layers are those of a network of ours, with these weights, is
// then proved by evaluating both.
package keras
