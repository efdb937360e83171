"""NeuralQA (2007.15211): answers from one's own documents, and the reasons for them."""
