package arch

// Source says where a value comes from.
type Source string

const (
	Listing    Source = "the document's listing"
	AuthorCode Source = "its author's published code"
	Keras      Source = "Keras' default, which the document leaves in place"
	Choice     Source = "our choice"
)

// Topic is a part of a GAN that has a source.
type Topic string

// The topics, in the order in which they are printed. Every published GAN has
// a source for each.
const (
	Networks     Topic = "networks"
	LatentSpace  Topic = "latent vectors"
	Loss         Topic = "loss and labels"
	Order        Topic = "order of updates"
	Optimiser    Topic = "optimisers"
	Normalising  Topic = "batch normalisation"
	Initialisers Topic = "initialisers"
	Batch        Topic = "batch"
	Epochs       Topic = "epochs"
	Samples      Topic = "sample grid"
)

// Topics lists all topics in order.
var Topics = []Topic{
	Networks, LatentSpace, Loss, Order, Optimiser, Normalising, Initialisers, Batch, Epochs, Samples,
}

// Sources gives the source of each topic, with a remark where there is
// something to say.
type Sources map[Topic]Origin

// Origin is a source and a remark.
type Origin struct {
	Source Source
	Remark string `json:",omitempty"`
}
